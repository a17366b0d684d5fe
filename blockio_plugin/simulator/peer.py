"""A modelled peer in virtual time: when it is done with an answer, and when that reaches us."""
from random import Random
from typing import Optional, Tuple

from blockio_plugin.simulator.scenario import PeerModel, RateStep


def serve_until(steps: Tuple[RateStep, ...], start: float, blocks: int) -> float:
    """When ``blocks`` blocks that begin to be sent at ``start`` have been sent."""
    time, left = start, float(blocks)
    for index, step in enumerate(steps):
        end = steps[index + 1].time if index + 1 < len(steps) else float("inf")
        if end <= time:
            continue
        sent = (end - time) * step.rate
        if sent >= left:
            return time + left / step.rate
        left -= sent
        time = end
    raise AssertionError("the last rate holds for ever")


class PeerClock:
    """One connection to a peer: requests are served first in, first out, and stay in order."""

    def __init__(self, model: PeerModel, jitter: float, random: Random) -> None:
        self._model = model
        self._jitter = jitter
        self._random = random
        self._reached = 0.0
        self._free_at = 0.0
        self._arrived = 0.0
        self._tokens = 0.0 if model.bucket is None else model.bucket.burst
        self._tokens_at = 0.0

    def _delay(self) -> float:
        return self._model.rtt / 2 * (1 + self._jitter * self._random.uniform(-0.5, 0.5))

    def arrival(self, now: float, blocks: int) -> Optional[float]:
        """When the answer with ``blocks`` blocks to a request sent ``now`` comes; None: never."""
        self._reached = max(self._reached, now + self._delay())
        if self._model.lies:
            done = self._reached
        else:
            start = max(self._reached, self._free_at) + self._model.overhead
            done = self._spend(serve_until(self._model.rate, start, blocks), blocks)
            self._free_at = done
        silent_after = self._model.silent_after
        if silent_after is not None and done > silent_after:
            return None
        self._arrived = max(self._arrived, done + self._delay())
        return self._arrived

    def _spend(self, time: float, blocks: int) -> float:
        """When the bucket has tokens for an answer that could else be sent at ``time``."""
        if self._model.bucket is None:
            return time
        burst, refill = self._model.bucket
        tokens = min(burst, self._tokens + (time - self._tokens_at) * refill)
        if tokens < blocks:
            time += (blocks - tokens) / refill
            tokens = float(blocks)
        self._tokens, self._tokens_at = tokens - blocks, time
        return time
