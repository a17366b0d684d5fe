"""``trinity blockio probe``: looks at any node, and whether it keeps to the protocol."""
import argparse
import asyncio
from dataclasses import asdict
import json
from pathlib import Path
import sys
from typing import Any, Dict, List, Optional, Tuple

from eth.db.atomic import AtomicDB
from p2p.abc import NodeAPI
from p2p.exceptions import BaseP2PError
from p2p.kademlia import Node
from trinity.config import Eth1ChainConfig

from blockio_plugin.node.block_importer import split_header
from blockio_plugin.node.commands.ending import FAILED, OK, run_until_end
from blockio_plugin.node.commands.probe_report import ProbeReport, tell_probe
from blockio_plugin.node.private import guard_messages
from blockio_plugin.node.view_schemes import find_scheme
from blockio_plugin.protocol import armour
from blockio_plugin.protocol.api import Payload
from blockio_plugin.protocol.mirror import dial
from blockio_plugin.protocol.peer import BlockIOPeer
from blockio_plugin.rules.block_rlp import decode_block
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.conformance import (
    Outcome,
    follow_hint,
    judge_answers,
    judge_hint,
    plan_requests,
)
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView, Offence
from blockio_plugin.rules.schemes import InvalidScheme, NumberScheme, ViewScheme
from blockio_plugin.rules.views import ViewRange

DIAL_TIMEOUT = 10.0
"""Seconds for a node to let us in, most."""

ADVERT_TIMEOUT = 20.0
"""Seconds for its first advert, most: it sends one when a connection opens."""

ANSWER_TIMEOUT = 10.0
"""Seconds for an answer, most."""

AFTER_TIME = 1.0
"""Seconds for which it is listened after the last answer: there may be one too many."""


class ProbeFailed(Exception):
    """Nothing can be said of the node. The message, one line, says why."""


def main(args: argparse.Namespace) -> int:
    """Run the command; the exit status."""
    return run_until_end(_run(args))


async def _run(args: argparse.Namespace) -> int:
    # Whoever answers is a stranger.
    guard_messages(armour.guard_stream, armour.decode)
    try:
        report = await probe(args.enode, args.views, args.genesis_file)
    except ProbeFailed as err:
        print(err, file=sys.stderr)
        return FAILED
    if args.json:
        print(json.dumps(asdict(report), indent=2))
    else:
        print("\n".join(tell_probe(report)))
    return OK if report.conforms else FAILED


async def probe(
    enode: str, views: Optional[Tuple[int, int]], genesis: Optional[Path]
) -> ProbeReport:
    """
    Look at the node at ``enode``.

    :param views: asks for blocks in these views only
    :param genesis: an EIP-1085 file, for a node that does not hold its genesis
    :raise ProbeFailed: it cannot be looked at
    """
    remote: NodeAPI = Node.from_uri(enode)
    timestamp = None if genesis is None else _read_timestamp(genesis)
    try:
        async with dial(remote, DIAL_TIMEOUT) as peer:
            return await Probe(peer, timestamp).run(views)
    except asyncio.TimeoutError:
        raise ProbeFailed(f"{enode} did not answer in {DIAL_TIMEOUT:.0f} s") from None
    except BaseP2PError as err:
        raise ProbeFailed(f"{enode} cannot be reached: {type(err).__name__}: {err}") from None


def _read_timestamp(genesis: Path) -> int:
    try:
        raw = json.loads(genesis.read_text())
        chain = Eth1ChainConfig.from_eip1085_genesis_config(raw).initialize_chain(AtomicDB())
    except Exception as err:
        raise ProbeFailed(f"{genesis} is no genesis file: {type(err).__name__}: {err}") from None
    timestamp: int = chain.get_canonical_block_header_by_number(0).timestamp
    return timestamp


class _Genesis:
    """As much of a genesis as a scheme wants to know."""

    block_number = 0
    extra_data = b""

    def __init__(self, timestamp: int) -> None:
        self.timestamp = timestamp


class Probe:
    """
    A look at one peer.

    :param genesis_timestamp: seconds since 1970; None: the peer is asked for it
    """

    def __init__(self, peer: BlockIOPeer, genesis_timestamp: Optional[int]) -> None:
        self._peer = peer
        self._genesis_timestamp = genesis_timestamp
        self._adverts: "asyncio.Queue[Availability]" = asyncio.Queue()
        self._answers: Dict[int, "asyncio.Future[BlocksByView]"] = {}
        self._findings: List[str] = []
        self._request_id = 0

    async def run(self, views: Optional[Tuple[int, int]]) -> ProbeReport:
        """All of it."""
        connection = self._peer.connection
        report: Dict[str, Any] = {
            "client": self._peer.client_name,
            "capabilities": tuple(f"{name}/{n}" for name, n in connection.remote_capabilities),
        }
        if not self._peer.speaks_blockio:
            self._findings.append("it does not speak bio/1")
            return self._make_report(report, None)
        self._peer.blockio_api.attach(self._receive)
        self._peer.start_protocol_streams()
        try:
            advert = await asyncio.wait_for(self._adverts.get(), ADVERT_TIMEOUT)
        except asyncio.TimeoutError:
            self._findings.append(f"no advert came in {ADVERT_TIMEOUT:.0f} s")
            return self._make_report(report, None)
        try:
            report.update(await self._ask(advert, views))
        except (Offence, InvalidScheme) as err:
            self._findings.append(str(err))
        await asyncio.sleep(AFTER_TIME)
        if self._peer.dropped_for is not None:
            self._findings.insert(0, self._peer.dropped_for)
        return self._make_report(report, advert)

    def _make_report(self, known: Dict[str, Any], advert: Optional[Availability]) -> ProbeReport:
        return ProbeReport(
            client=known["client"],
            capabilities=known["capabilities"],
            scheme=None if advert is None else advert.scheme,
            head_view=None if advert is None else advert.head_view,
            ranges=() if advert is None else tuple((r.start, r.stop) for r in advert.ranges),
            round_trip=known.get("round_trip"),
            blocks=known.get("blocks", 0),
            blocks_per_second=known.get("blocks_per_second"),
            requests=self._request_id,
            conforms=not self._findings,
            findings=tuple(dict.fromkeys(self._findings)),
        )

    async def _ask(
        self, advert: Availability, views: Optional[Tuple[int, int]]
    ) -> Dict[str, Any]:
        loop = asyncio.get_event_loop()
        began_at = loop.time()
        first = await self._fetch(GetBlocksByView(self._next_id(), 0, 1, 1))
        round_trip = loop.time() - began_at
        if first is None:
            self._findings.append("no answer to a request for views 0")
        scheme = self._bind_scheme(advert, first)
        within = None if views is None else ViewRange(*views)
        requests = plan_requests(advert, self._request_id + 1, within)
        self._request_id += len(requests)
        began_at = loop.time()
        answers = await asyncio.gather(*map(self._fetch, requests))
        passed = loop.time() - began_at
        outcomes = [
            self._decode(request, answer, scheme) for request, answer in zip(requests, answers)
        ]
        self._findings += judge_answers(outcomes, advert)
        hints = [follow_hint(outcome, self._next_id()) for outcome in outcomes[:1]]
        for hint in hints:
            if hint is not None:
                hinted = self._decode(hint, await self._fetch(hint), scheme)
                self._findings += judge_hint(hinted)
        blocks = sum(len(outcome.blocks) for outcome in outcomes)
        return {
            "round_trip": None if first is None else round_trip,
            "blocks": blocks,
            "blocks_per_second": blocks / passed if blocks else None,
        }

    def _bind_scheme(self, advert: Availability, first: Optional[BlocksByView]) -> ViewScheme:
        """
        :raise InvalidScheme: it is not known, or needs a genesis that nobody gave
        """
        timestamp = self._genesis_timestamp
        if timestamp is None and first is not None and first.blocks:
            decode_block(first.blocks[0], NumberScheme())
            timestamp = split_header(first.blocks[0]).timestamp
        if timestamp is None and advert.scheme != NumberScheme.name:
            raise InvalidScheme(
                f"it does not give its genesis, which view scheme {advert.scheme} needs: "
                "give --genesis"
            )
        return find_scheme(advert.scheme).bind(_Genesis(timestamp or 0))

    def _decode(
        self, request: GetBlocksByView, answer: Optional[BlocksByView], scheme: ViewScheme
    ) -> Outcome:
        """
        :raise Offence: what it gave is no block
        """
        encoded = () if answer is None else answer.blocks
        blocks: Tuple[Block, ...] = tuple(decode_block(each, scheme) for each in encoded)
        return Outcome(request, answer, blocks)

    def _next_id(self) -> int:
        self._request_id += 1
        return self._request_id

    async def _fetch(self, request: GetBlocksByView) -> Optional[BlocksByView]:
        """The answer; None where none comes in time."""
        waiting = asyncio.get_event_loop().create_future()
        self._answers[request.request_id] = waiting
        self._peer.blockio_api.send_request(request)
        done, _ = await asyncio.wait({waiting}, timeout=ANSWER_TIMEOUT)
        return waiting.result() if done else None

    def _receive(self, payload: Payload) -> None:
        if isinstance(payload, Availability):
            self._adverts.put_nowait(payload)
        elif isinstance(payload, BlocksByView):
            waiting = self._answers.get(payload.request_id)
            if waiting is not None and not waiting.done():
                waiting.set_result(payload)
        else:
            # It asks us, who hold nothing.
            self._peer.blockio_api.send_answer(
                BlocksByView(payload.request_id, payload.start_view, 0, 0, ())
            )
