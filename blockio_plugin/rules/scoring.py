"""
The score of a peer: delay over blocks supplied, in seconds per block; lower is better.

1. The peer is taken to answer in order. Its round trip, cost of a request and seconds per block are
   estimated from its answers (``service_model``). So neither our own queueing nor the round trip
   counts against it. An answer without a block tells of the round trip alone.
2. Trust follows additive increase and multiplicative decrease: a time-out or a disproved claim
   halves it, each answer that brings blocks adds a step. A peer of less trust has a worse score and
   is asked for less. One that declines some requests gets fewer and larger ones.
3. The peer's budget, the blocks it may owe us, is its rate times (round trip + ``QUEUE_TIME``). A
   new peer starts from ``FIRST_REQUESTS`` and may owe at most some times what it has shown.
4. A peer that let us wait, declines, or was wrong pauses, longer each time, but never for ever. So
   does one that uses up its credit: requests have a price, blocks earn it, and so does time.
"""
from math import floor, inf, log2
from typing import Optional, Tuple

from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS
from blockio_plugin.rules.requests import MAX_UNANSWERED
from blockio_plugin.rules.service_model import ServiceModel

FIRST_REQUESTS: Tuple[int, ...] = (8, 32)
"""Blocks in the first requests to a new peer, sent together: two sizes tell overhead from speed."""

REQUEST_TIME = 0.15
"""Seconds of a peer's service that one request asks for."""

QUEUE_TIME = 0.4
"""Seconds of service that a peer may owe beyond the round trip, so that it never runs dry."""

OVERHEAD_FACTOR = 10.0
"""The blocks of a request take at least this many times the peer's fixed cost of a request: one
part in eleven of the whole time is lost on it then."""

PROBE_EVERY = 6
"""One in so many requests to a peer of which it is open what is overhead and what is speed is a
probe, which asks for more."""

SMALL_REQUEST = 1.6
"""Blocks. A peer that is asked for less is probed whatever is known of it."""

PROBE_FACTOR = 2.0
"""How many times as many blocks as usual, or as it gave last, a probe asks for."""

GROWTH = 3.5
"""Blocks that each delivered block adds to what a peer may owe: it grows more than four-fold per
round trip. With less far peers take long to be used in full, with more our own link fills up."""

LIMIT_GROWTH = 1.02
"""What each answer in full multiplies the blocks asked for in one request by, after a short one."""

DECREASE = 0.5
"""What a fault leaves of a peer's trust, or a decline of its window (multiplicative decrease)."""

INCREASE = 1.0 / 16
"""What an answer with blocks adds to a peer's trust (additive increase)."""

FAULT_WEIGHT = 40.0
"""How much worse a score gets by disproved claims per block supplied; it is not soon forgotten."""

MIN_TRUST = 1.0 / 4
"""The least trust: a peer that supplies blocks in spite of its faults is still worth asking."""

UNKNOWN_SECONDS_PER_BLOCK = 0.01
"""Taken for a peer that has not been measured."""

UNKNOWN_ROUND_TRIP = 0.1
"""Seconds, taken for a peer that has not been measured."""

PAUSE = 0.25
"""Seconds without requests after an empty answer of a peer that never gave a block, or a request
that could not be sent; doubled each time until it supplies a block."""

DECLINE_PAUSE = 0.1
"""Seconds without requests after the second decline in a row."""

DECLINE_GROWTH = 1.5
"""What each further decline in a row multiplies that time by."""

DECLINE_WEIGHT = 0.1
"""Weight of the last request in the share of requests that a peer declines."""

MAX_DECLINE_SHARE = 0.9
"""The share of declines is taken to be this at most: requests get at most ten times as large."""

DECLINE_COST = 0.3
"""Seconds that a declined request costs, about: the way, and the pause after it."""

STRAY_DECLINES = 2
"""Declines in a row from which on a peer is asked for views elsewhere in its advert."""

DISPROOF_PAUSE = 0.5
"""Seconds without requests after a disproved claim of a peer that never gave a block; doubled."""

LATE_PAUSE = 0.25
"""Seconds without requests after a time-out; doubled, until it answers."""

MAX_PAUSE = 30.0
"""Most seconds that a pause after a time-out lasts: everybody is tried again some time."""

MAX_EMPTY_PAUSE = 8.0
"""Most seconds that any other pause lasts."""

REQUEST_PRICE = 3.0
"""Seconds that a request costs a peer that answers without a block: it gets 20 a minute then."""

BLOCK_WORTH = 4 * REQUEST_PRICE
"""What each block that it supplies earns it: four requests."""

FIRST_CREDIT = 12 * REQUEST_PRICE
"""The price of the requests that a peer gets before it has earned any."""

MAX_CREDIT = 64 * REQUEST_PRICE
"""The price of the requests that a peer may have earned and not been sent yet, most: twice as many
as it may leave unanswered."""


class Score:
    """What is known of one peer's speed and honesty. All times in seconds."""

    __slots__ = (
        "value",
        "octave",
        "request_blocks",
        "budget",
        "refill_below",
        "seconds_per_block",
        "overhead",
        "sure_overhead",
        "round_trip",
        "trust",
        "blocks",
        "answers",
        "cap",
        "answer_limit",
        "empty_answers",
        "declines",
        "decline_share",
        "window",
        "_declined_at",
        "wrong",
        "anchor",
        "paused_until",
        "earned_at",
        "faults",
        "_model",
        "last_total",
        "last_blocks",
        "lateness",
        "answered_to",
        "_last_arrival",
        "_measured_at",
        "_setbacks",
    )

    def __init__(self) -> None:
        self.value = UNKNOWN_SECONDS_PER_BLOCK
        """The score: seconds per block, overhead shared out, over trust. Lower is better."""
        self.octave = 0
        """The score on a scale on which each step is a factor of two."""
        self.request_blocks = 1.0
        """Blocks that one request should ask for."""
        self.budget = 0.0
        """Blocks that the peer may owe us."""
        self.refill_below = 0.0
        """It is asked for more once it owes no more blocks than this."""
        self.seconds_per_block = UNKNOWN_SECONDS_PER_BLOCK
        self.overhead = 0.0
        self.sure_overhead = 0.0
        self.round_trip = UNKNOWN_ROUND_TRIP
        self.trust = 1.0
        self.faults = 0
        """Claims disproved."""
        self.blocks = 0
        """Blocks supplied."""
        self.answers = 0
        """Answers that brought blocks."""
        self.cap = float(sum(FIRST_REQUESTS))
        """Blocks it may owe, whatever its rate."""
        self.answer_limit = float(MAX_ANSWER_BLOCKS)
        """Blocks that it puts into one answer, as far as we have seen."""
        self.empty_answers = 0
        """Answers without a block since the last with one."""
        self.declines = 0
        """Requests declined in a row; what was sent together counts as one."""
        self.decline_share = 0.0
        """Share of the last requests that it declined."""
        self.window = float(MAX_UNANSWERED)
        """Most requests that it may have open."""
        self.wrong = 0
        """Claims disproved since the last answer with a block."""
        self.anchor: Optional[int] = None
        """A peer that strayed and found views that it has is asked for what follows from here."""
        self.paused_until = 0.0
        self.earned_at = -inf
        """When it has earned another request."""
        self.last_blocks = 0
        """Blocks in its last answer that brought any."""
        self.lateness = 0.0
        """Time that its last answer took over the time that it had: late from 1 on."""
        self.answered_to = -inf
        """When the latest of the requests was sent that it has answered."""
        self.last_total: Optional[int] = None
        self._model = ServiceModel(UNKNOWN_ROUND_TRIP, UNKNOWN_SECONDS_PER_BLOCK)
        self._last_arrival = 0.0
        # When it last answered, declines apart: they cost it nothing, and may come at once.
        self._measured_at = -inf
        self._declined_at = -inf
        self._setbacks = 0
        self._derive()

    @property
    def known(self) -> bool:
        """Whether the speed was measured at all."""
        return self.answers > 0

    @property
    def strays(self) -> bool:
        """Whether it seems not to have what it was asked for last: then it is asked elsewhere."""
        return self.wrong > 0 or self.declines >= STRAY_DECLINES

    @property
    def request_cost(self) -> float:
        """Seconds that each request costs the peer or us, its blocks apart."""
        share = min(self.decline_share, MAX_DECLINE_SHARE)
        return self.sure_overhead + DECLINE_COST * share / (1.0 - share)

    @property
    def is_vague(self) -> bool:
        """
        Whether it has to be found out what is overhead and what is speed: it is not known yet, or
        the peer is asked for so little that nothing else would tell once it is quicker.
        """
        return self._model.is_vague or self.request_blocks < SMALL_REQUEST

    @property
    def last_arrival(self) -> float:
        """When it last answered."""
        return self._last_arrival

    def _derive(self) -> None:
        speed = self.seconds_per_block
        cost = self.sure_overhead
        if OVERHEAD_FACTOR * cost > QUEUE_TIME:
            cost += self.round_trip
        # Who declines some of its requests is sent fewer, and larger ones.
        accepted = 1.0 - min(self.decline_share, MAX_DECLINE_SHARE)
        time = max(REQUEST_TIME * self.trust, OVERHEAD_FACTOR * cost) / (accepted ** 3)
        self.request_blocks = max(1.0, min(time / speed, self.answer_limit, self.cap))
        penalty = 1.0 + FAULT_WEIGHT * self.faults / max(self.blocks, 1)
        self.value = (speed + self.overhead / self.request_blocks) * penalty / self.trust / accepted
        self.octave = floor(log2(self.value))
        self.budget = min((self.round_trip + QUEUE_TIME * self.trust) / speed, self.cap)
        # A request is held back until it fits, so that there are few and each is worth its cost.
        self.refill_below = max(
            self.budget - min(self.request_blocks, self.budget / 2),
            min(self.round_trip / speed, self.cap),
        )

    def service_time(self, blocks: float) -> float:
        """How long the peer likely works for an answer of that many blocks."""
        return self.overhead + blocks * self.seconds_per_block

    def asked(self, now: float) -> None:
        """It is sent a request."""
        credit = MAX_CREDIT if self.blocks else FIRST_CREDIT
        self.earned_at = max(self.earned_at, now - credit) + REQUEST_PRICE
        self.paused_until = max(self.paused_until, self.earned_at)

    def supplied(
        self, issued_at: float, queued: bool, blocks: int, others: float, now: float
    ) -> None:
        """
        An answer with ``blocks`` blocks arrived. ``queued``: other requests were open before it.
        ``others``: seconds in which our full link was busy with other peers' answers meanwhile.
        """
        self.blocks += blocks
        self.answers += 1
        self.last_blocks = blocks
        self.cap += GROWTH * blocks
        self.trust = min(1.0, self.trust + INCREASE)
        self._setbacks = 0
        self.empty_answers = 0
        self.wrong = 0
        self.window = min(self.window + 1.0 / self.window, float(MAX_UNANSWERED))
        self.earned_at -= BLOCK_WORTH * blocks
        self.paused_until = max(now, self.earned_at)
        self._measure(issued_at, queued, blocks, others, now)

    def answered_empty(
        self, issued_at: float, queued: bool, others: float, is_welcome: bool, now: float
    ) -> None:
        """
        It answered without a block: neither good nor bad, but a newcomer has to wait, unless the
        answer ``is_welcome``. The rest is as with one that supplied blocks.
        """
        self.empty_answers += 1
        self._measure(issued_at, queued, 0, others, now)
        if not self.blocks and not is_welcome:
            self._pause(PAUSE, REQUEST_PRICE, now)

    def _measure(
        self, issued_at: float, queued: bool, blocks: int, others: float, now: float
    ) -> None:
        model = self._model
        if not queued or issued_at + model.round_trip >= self._measured_at:
            model.observe(now - issued_at, blocks, True, others)
        else:
            model.observe(now - self._measured_at, blocks, False, others)
        self._last_arrival = self._measured_at = now
        self.answered_to = max(self.answered_to, issued_at)
        if self.known:
            self.round_trip = model.round_trip
            self.overhead = model.overhead
            self.sure_overhead = model.sure_overhead
            self.seconds_per_block = model.seconds_per_block
            self._derive()

    def cut_short(self, blocks: int) -> None:
        """It answered for less than it was asked for, with fewer blocks than were allowed."""
        self.answer_limit = max(float(blocks), self.answer_limit * DECREASE, 1.0)
        self._derive()

    def not_cut_short(self) -> None:
        """It answered in full: its limit may be higher by now (limits in bytes move)."""
        if self.answer_limit < MAX_ANSWER_BLOCKS:
            self.answer_limit = min(self.answer_limit * LIMIT_GROWTH, float(MAX_ANSWER_BLOCKS))
            self._derive()

    def declined(self, issued_at: float, now: float) -> None:
        """It did not want to answer a request that was sent at ``issued_at``."""
        self._last_arrival = now
        self.decline_share += DECLINE_WEIGHT * (1.0 - self.decline_share)
        if issued_at >= self._declined_at:
            # The first of those that were sent before we knew.
            self._declined_at = now
            self.declines += 1
            self.window = max(1.0, self.window * DECREASE)
        if self.declines >= STRAY_DECLINES:
            self.anchor = None
            growth = DECLINE_GROWTH ** min(self.declines - STRAY_DECLINES, 16)
            pause = min(DECLINE_PAUSE * growth, MAX_EMPTY_PAUSE)
            self.paused_until = max(self.earned_at, now + pause)
        self._derive()

    def answered(self) -> None:
        """It answered, be it without a block."""
        self.declines = 0
        self.decline_share -= DECLINE_WEIGHT * self.decline_share

    def voided(self, now: float) -> None:
        """A request did not reach it, or its answer not us: that costs it nothing but a moment."""
        paid_until, self.earned_at = self.earned_at, self.earned_at - REQUEST_PRICE
        since = self.earned_at if self.paused_until <= paid_until else self.paused_until
        self.paused_until = max(since, now + PAUSE)

    def timed_out(self, now: float) -> None:
        """An answer is late."""
        self.cap = max(float(sum(FIRST_REQUESTS)), self.cap * DECREASE)
        self._fault()
        self._pause(LATE_PAUSE, MAX_PAUSE, now)

    def disproved(self, now: float) -> None:
        """A claim of it turned out false."""
        self.faults += 1
        self.wrong += 1
        self.anchor = None
        self._fault()
        if not self.blocks:
            self._pause(DISPROOF_PAUSE, MAX_EMPTY_PAUSE, now)

    def _fault(self) -> None:
        self.trust = max(MIN_TRUST, self.trust * DECREASE)
        self._derive()

    def _pause(self, seconds: float, most: float, now: float) -> None:
        pause = min(seconds * 2 ** min(self._setbacks, 16), most)
        self._setbacks += 1
        self.paused_until = max(self.paused_until, now + pause)
