import random
from typing import Dict, List, Sequence

from hypothesis import given
from hypothesis import strategies as st

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.limits import Front, Limits
from blockio_plugin.rules.put_aside import FIRST_PAUSE, MAX_PAUSE, MAX_PUT_ASIDE, PutAside, let_go
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.tools.memory_chain import MemoryChain


def test_pauses_double_up_to_a_bound_and_each_thing_has_its_own() -> None:
    put_aside, now, pauses = PutAside(), 100.0, []
    for _ in range(10):
        pauses.append(put_aside.add("a", now) - now)
        now += 1000.0
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-3:] == [MAX_PAUSE] * 3
    assert put_aside.add("b", now) == now + FIRST_PAUSE == put_aside.until("b")
    assert put_aside.until("c") < now
    put_aside.clear()
    assert put_aside.until("a") < now
    assert put_aside.add("a", now) == now + FIRST_PAUSE


def test_the_oldest_give_way() -> None:
    put_aside = PutAside()
    for key in range(MAX_PUT_ASIDE):
        put_aside.add(key, 0.0)
    # This one is new again.
    put_aside.add(0, 0.0)
    put_aside.add("more", 0.0)
    assert put_aside.until(1) < 0.0 < put_aside.until(0)


def answer_all(fetch: Fetch, chain: Sequence[Block], now: float) -> Dict[str, List[ViewRange]]:
    """Let the peers answer whatever they are asked; what they were, by peer."""
    asked: Dict[str, List[ViewRange]] = {}
    while True:
        requests = fetch.plan(now)
        if not requests:
            return asked
        for request in requests:
            asked.setdefault(str(request.peer), []).append(request.views)
            blocks = [block for block in chain if block.view in request.views]
            fetch.receive(request.peer, request.request_id, request.views, 0, blocks, now)


@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=40),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(1, 3),
)
def test_only_the_block_itself_goes(
    steps: Sequence[int], place: int, confirmed: int, peers: int
) -> None:
    """Whatever was confirmed before it, and however many views between blocks are empty."""
    views = [sum(steps[:index]) for index in range(len(steps) + 1)]
    genesis, *chain = MemoryChain.of_views(views).blocks
    block = chain[place % len(chain)]
    fetch = Fetch(front=Front(1, genesis.hash), limits=Limits(), random=random.Random(1))
    for name in "abc"[:peers]:
        fetch.join(name, 0.0)
        fetch.advertise(name, views[-1], (ViewRange(0, views[-1] + 1),), 0.0)
    fetch.set_target(views[-1] + 1)
    answer_all(fetch, chain, 0.0)
    handed_out = fetch.ready(len(chain), 10 ** 9)
    assert list(handed_out) == chain
    fetch.confirm(min(chain[confirmed % len(chain)].view, block.view - 1))
    sender = fetch.cache.supplier(block.view)

    let_go(fetch, block.hash, 10.0, 1.0)
    assert fetch.ready(len(chain), 10 ** 9) == ()
    asked = answer_all(fetch, chain, 9.0)
    if peers == 1:
        # There is nobody else, before its time has come.
        assert asked == {}
        asked = answer_all(fetch, chain, 10.0)
        assert list(asked) == [sender]
    else:
        assert sender not in asked
    assert sum(asked.values(), []) == [ViewRange(block.view, block.view + 1)]
    assert list(fetch.ready(len(chain), 10 ** 9)) == chain[chain.index(block) :]


def test_what_was_not_handed_out_is_left_alone() -> None:
    chain = MemoryChain.of_views(range(5)).blocks
    fetch = Fetch(front=Front(1, chain[0].hash), limits=Limits(), random=random.Random(1))
    let_go(fetch, chain[2].hash, 10.0, 1.0)
    assert fetch.ready(5, 10 ** 9) == ()
