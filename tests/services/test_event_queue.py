from blockio_plugin.rules.messages import BlocksByView
from blockio_plugin.services.abc import AnswerReceived, PeerJoined
from blockio_plugin.services.event_queue import EventQueue

ANSWER = BlocksByView(1, 0, 1, 0, ())


async def test_an_answer_is_waited_for_until_the_next_event_is_asked_for() -> None:
    queue = EventQueue()
    assert queue.oldest_answer is None
    queue.put(AnswerReceived("a", ANSWER, 3.0), PeerJoined("b"), AnswerReceived("b", ANSWER, 5.0))
    assert len(queue) == 3 and queue.oldest_answer == 3.0
    stream = queue.stream()
    assert await stream.__anext__() == AnswerReceived("a", ANSWER, 3.0)
    assert queue.oldest_answer == 3.0
    assert await stream.__anext__() == PeerJoined("b")
    assert queue.oldest_answer == 5.0
    assert await stream.__anext__() == AnswerReceived("b", ANSWER, 5.0)
    queue.put(PeerJoined("c"))
    assert await stream.__anext__() == PeerJoined("c")
    assert queue.oldest_answer is None and not len(queue)
