"""
How long a peer takes to answer: a round trip, a cost per request, and seconds per block.

1. A peer answers in order. The answer to a request that found it idle comes after ``round_trip +
   overhead + blocks * seconds_per_block``. One that waited behind others comes ``overhead +
   blocks * seconds_per_block`` after the answer before it.
2. Both are linear in three unknowns, so a Kalman filter keeps them, with what is not known of them
   yet: as long as all requests have one size, what is overhead and what is speed stays open, and
   the covariance says so. Then the peer is asked for more now and then, which tells.
3. Peers change. Before each sample the filter forgets a little of what it knew, and where the
   sample is a surprise as much as it takes to explain it. So no state is for ever.
4. While our own link is full, an answer also waits for those of others. Then its time is only known
   to lie between what is left without them and all of it, and the model moves into that span.
5. None of the three is below 0. Where the filter puts one there, it is set to its least value, and
   the others to what they are likely then.

The noise and drift numbers are relative to the time of the sample, so the model knows no scale.
"""
from math import sqrt
from typing import List, Optional

FASTEST = 1e-5
"""Least seconds per block: two answers can arrive together."""

FIRST_SHARES = (0.45, 0.05, 0.5)
"""Shares of the first answer's time that are taken for round trip, overhead, and blocks."""

FIRST_SPREADS = (0.6, 0.4, 0.4)
"""Standard deviations of these shares: nearly anything may be true of a first answer."""

EMPTY_SHARES = (0.9, 0.1)
"""Shares of the time of an answer without a block that are taken for round trip and overhead."""

EMPTY_SERVICE = 0.05
"""Least share of the first answer's time that its blocks took."""

EMPTY_SPREAD = 0.2
"""Standard deviation of these shares, and of a block's time as a share of what blocks took."""

DRIFT = (0.02, 0.01, 0.05)
"""Standard deviations, of their own size, by which round trip, overhead and seconds per block
change from one sample to the next: a way hardly changes, a peer's load does."""

LEAST_DRIFT = (0.01, 0.005, 0.05)
"""The same as shares of the sample's time, on top: what was taken for 0 may come to be more."""

NOISE = 0.05
"""Standard deviation of a sample as a share of its time."""

LEAST_NOISE = 0.001
"""Standard deviation (s) of a sample, at least."""

JITTER_WEIGHT = 0.1
"""Weight of the last sample in the variance that the way seems to have."""

SURPRISE = 2.0
"""Standard deviations by which a sample may miss before more is forgotten than drift alone."""

VAGUE = 0.3
"""Standard deviation of the seconds per block, as a share of them, from which on a request of
another size is worth its cost."""

CAUTION = 0.5
"""Standard deviations by which overhead is taken for less than it seems where it decides how much
to ask for: to ask for much of a peer that is only slow is worse than to ask a costly one twice."""


class ServiceModel:
    """What is known of one peer's times, in seconds, from its answers."""

    __slots__ = (
        "round_trip",
        "overhead",
        "seconds_per_block",
        "_is_new",
        "_way",
        "_jitter",
        "_covariance",
    )

    def __init__(self, round_trip: float, seconds_per_block: float) -> None:
        """Start from what is likely of any peer; the first sample takes the place of both."""
        self.round_trip = round_trip
        self.overhead = 0.0
        self.seconds_per_block = seconds_per_block
        self._is_new = True
        self._way: Optional[float] = None
        self._jitter = 0.0
        # Of round trip r, overhead o and seconds per block s: rr, ro, rs, oo, os, ss.
        self._covariance: List[float] = [0.0] * 6

    def observe(self, time: float, blocks: int, is_lone: bool, others: float) -> None:
        """
        Take in a sample.

        :param time: seconds from the request, or from the answer before it, to the answer
        :param blocks: that it brought; without one it tells of round trip and overhead alone
        :param is_lone: whether the peer was idle when the request reached it
        :param others: seconds of ``time`` that our full link was busy with other peers' answers
        """
        time = max(time, FASTEST * max(blocks, 1))
        if self._is_new and not blocks:
            if is_lone:
                self._way = time if self._way is None else min(self._way, time)
            return
        if self._is_new:
            self._begin(time, blocks)
        expected = self.overhead + blocks * self.seconds_per_block
        if is_lone:
            expected += self.round_trip
        if others > 0 and expected < time:
            time = max(time - others, expected, FASTEST)
        way = 1.0 if is_lone else 0.0
        noise = self._forget(time, time - expected, blocks, way)
        self._update(way, 1.0, float(blocks), time, noise)
        self._keep_in_bounds()

    def _begin(self, time: float, blocks: int) -> None:
        self._is_new = False
        if self._way is None:
            self.round_trip, self.overhead, service = (share * time for share in FIRST_SHARES)
            way, overhead, spread = ((spread * time) ** 2 for spread in FIRST_SPREADS)
        else:
            known = min(self._way, time)
            self.round_trip, self.overhead = (share * known for share in EMPTY_SHARES)
            service = max(time - known, EMPTY_SERVICE * time)
            way = overhead = (EMPTY_SPREAD * known) ** 2
            spread = way + (EMPTY_SPREAD * service) ** 2
        self.seconds_per_block = service / blocks
        self._covariance = [way, 0.0, 0.0, overhead, 0.0, spread / blocks ** 2]

    def _forget(self, time: float, error: float, blocks: int, way: float) -> float:
        """Let the three drift, further where ``error`` surprises; the variance of the sample."""
        rr, ro, rs, oo, os, ss = self._covariance
        spread = way * (rr + 2 * ro + 2 * blocks * rs) + oo + 2 * blocks * os + blocks ** 2 * ss
        # What is not known yet explains a part. A way that seems short need not be steady.
        jitter = min(max(error * error - spread, 0.0), max(self.round_trip / 2, time / 4) ** 2)
        self._jitter += JITTER_WEIGHT * (jitter - self._jitter)
        noise = (NOISE * time) ** 2 + self._jitter + LEAST_NOISE ** 2
        drifts = (
            (DRIFT[0] * self.round_trip + LEAST_DRIFT[0] * time) ** 2,
            (DRIFT[1] * self.overhead + LEAST_DRIFT[1] * time) ** 2,
            (DRIFT[2] * self.seconds_per_block + LEAST_DRIFT[2] * time / max(blocks, 1)) ** 2,
        )
        drifted = way * drifts[0] + drifts[1] + blocks ** 2 * drifts[2]
        steps = max(1.0, ((error / SURPRISE) ** 2 - spread - noise) / drifted)
        for index, drift in zip((0, 3, 5), drifts):
            self._covariance[index] += steps * drift
        return noise

    def _update(self, way: float, cost: float, blocks: float, value: float, noise: float) -> None:
        """``way * round_trip + cost * overhead + blocks * seconds_per_block`` was ``value``."""
        rr, ro, rs, oo, os, ss = self._covariance
        with_r = way * rr + cost * ro + blocks * rs
        with_o = way * ro + cost * oo + blocks * os
        with_s = way * rs + cost * os + blocks * ss
        spread = way * with_r + cost * with_o + blocks * with_s + noise
        if spread <= 0:
            return
        known = way * self.round_trip + cost * self.overhead + blocks * self.seconds_per_block
        gain = (value - known) / spread
        self.round_trip += with_r * gain
        self.overhead += with_o * gain
        self.seconds_per_block += with_s * gain
        self._covariance = [
            rr - with_r * with_r / spread,
            ro - with_r * with_o / spread,
            rs - with_r * with_s / spread,
            oo - with_o * with_o / spread,
            os - with_o * with_s / spread,
            ss - with_s * with_s / spread,
        ]

    def _keep_in_bounds(self) -> None:
        # As if its least value had been seen, as surely as it is known: so it can rise again.
        if self.overhead < 0:
            self._update(0.0, 1.0, 0.0, 0.0, self._covariance[3])
        if self.round_trip < 0:
            self._update(1.0, 0.0, 0.0, 0.0, self._covariance[0])
        if self.seconds_per_block < FASTEST:
            self._update(0.0, 0.0, 1.0, FASTEST, self._covariance[5])
        self.overhead = max(self.overhead, 0.0)
        self.round_trip = max(self.round_trip, 0.0)
        self.seconds_per_block = max(self.seconds_per_block, FASTEST)

    @property
    def sure_overhead(self) -> float:
        """Seconds of overhead that the peer has by all likelihood."""
        return max(0.0, self.overhead - CAUTION * sqrt(max(self._covariance[3], 0.0)))

    @property
    def is_vague(self) -> bool:
        """Whether it is open what is overhead and what is speed."""
        return self._covariance[5] > (VAGUE * self.seconds_per_block) ** 2
