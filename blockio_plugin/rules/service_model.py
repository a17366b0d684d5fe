"""
How long a peer takes to answer: a round trip, a cost per request, and seconds per block.

1. A peer answers in order. The answer to a request that found it idle came after ``round_trip +
   overhead + blocks * seconds_per_block``; one that waited behind others came ``overhead + blocks *
   seconds_per_block`` after the answer before it.
2. Both are linear in three unknowns, so a Kalman filter keeps them and what is not known of them
   yet: requests of one size leave it open what is overhead and what is speed, and the filter
   remembers that as a covariance, until a request of another size tells.
3. Peers change. Before each sample the filter forgets a share of what it knew, in proportion to
   the time that the sample took: mostly of the speed, some of the overhead, hardly any of the round
   trip. So no state is for ever: whatever was believed, later samples outweigh it.
4. None of the three is below 0: where the fit comes out there, the unknown is set to its least value
   and the two others to what they are likely then.
"""
from math import sqrt
from typing import List

FASTEST = 1e-5
"""Seconds per block, least: answers can arrive together."""

PRIOR_ROUND_TRIP = 0.45
PRIOR_OVERHEAD = 0.05
PRIOR_SERVICE = 0.5
SD_ROUND_TRIP = 0.6
SD_OVERHEAD = 0.4
SD_SERVICE = 0.4

SPEED_DRIFT = 0.07
OVERHEAD_DRIFT = 0.01
ROUND_TRIP_DRIFT = 0.007
NOISE = 0.05
NOISE_GAIN = 0.1
SURPRISE = 2.0
VAGUE = 0.3
CAUTION = 0.5
JITTER = 0.05
LEAST_NOISE = 0.001


class ServiceModel:
    """What is known of one peer's times, in seconds."""

    __slots__ = ("round_trip", "overhead", "seconds_per_block", "samples", "_p", "_jitter")

    def __init__(self, round_trip: float, seconds_per_block: float) -> None:
        self.round_trip = round_trip
        self.overhead = 0.0
        self.seconds_per_block = seconds_per_block
        self.samples = 0
        self._jitter = 0.0
        # Covariances: rr, ro, rs, oo, os, ss.
        self._p: List[float] = [0.0] * 6

    def observe(self, time: float, blocks: int, is_lone: bool, others: float = 0.0) -> None:
        """An answer with ``blocks`` blocks came ``time`` seconds after its request or the one before."""
        time = max(time, FASTEST * blocks)
        if not self.samples:
            self._begin(time, blocks)
        self.samples += 1
        p = self._p
        expected = self.overhead + blocks * self.seconds_per_block
        if is_lone:
            expected += self.round_trip
        if others and expected < time:
            time = max(time - others, expected)
        error = time - expected
        jitter = min(abs(error), self.round_trip / 2)
        self._jitter += NOISE_GAIN * (jitter * jitter - self._jitter)
        noise = (NOISE * time) ** 2 + self._jitter + LEAST_NOISE ** 2
        drift = (
            (ROUND_TRIP_DRIFT * time) ** 2,
            (OVERHEAD_DRIFT * time) ** 2,
            (SPEED_DRIFT * time / blocks) ** 2,
        )
        spread = p[3] + 2 * blocks * p[4] + blocks * blocks * p[5] + noise
        change = drift[1] + blocks * blocks * drift[2]
        if is_lone:
            spread += p[0] + 2 * p[1] + 2 * blocks * p[2]
            change += drift[0]
        forgotten = max(1.0, (error * error / SURPRISE ** 2 - spread) / change)
        p[0] += forgotten * drift[0]
        p[3] += forgotten * drift[1]
        p[5] += forgotten * drift[2]
        self._update(1.0 if is_lone else 0.0, 1.0, float(blocks), time, noise)
        if self.overhead < 0:
            self._update(0.0, 1.0, 0.0, 0.0, self._p[3])
            self.overhead = 0.0
        if self.round_trip < 0:
            self._update(1.0, 0.0, 0.0, 0.0, self._p[0])
            self.round_trip = 0.0
        if self.seconds_per_block < FASTEST:
            self._update(0.0, 0.0, 1.0, FASTEST, self._p[5])
            self.seconds_per_block = FASTEST
        self.overhead = max(self.overhead, 0.0)
        self.round_trip = max(self.round_trip, 0.0)

    @property
    def is_vague(self) -> bool:
        """Whether samples leave it open what is overhead and what is speed."""
        return self._p[5] > (VAGUE * self.seconds_per_block) ** 2

    @property
    def sure_overhead(self) -> float:
        """Seconds of overhead that are all but certain."""
        return max(0.0, self.overhead - CAUTION * sqrt(max(self._p[3], 0.0)))

    def _begin(self, time: float, blocks: int) -> None:
        self.round_trip = PRIOR_ROUND_TRIP * time
        self.overhead = PRIOR_OVERHEAD * time
        self.seconds_per_block = PRIOR_SERVICE * time / blocks
        self._p = [
            (SD_ROUND_TRIP * time) ** 2,
            0.0,
            0.0,
            (SD_OVERHEAD * time) ** 2,
            0.0,
            (SD_SERVICE * time / blocks) ** 2,
        ]

    def _update(self, a: float, b: float, c: float, value: float, noise: float) -> None:
        """``a * round_trip + b * overhead + c * seconds_per_block`` was seen to be ``value``."""
        rr, ro, rs, oo, os, ss = self._p
        hr = a * rr + b * ro + c * rs
        ho = a * ro + b * oo + c * os
        hs = a * rs + b * os + c * ss
        spread = a * hr + b * ho + c * hs + noise
        if spread <= 0:
            return
        error = value - a * self.round_trip - b * self.overhead - c * self.seconds_per_block
        gain = error / spread
        self.round_trip += hr * gain
        self.overhead += ho * gain
        self.seconds_per_block += hs * gain
        self._p = [
            rr - hr * hr / spread,
            ro - hr * ho / spread,
            rs - hr * hs / spread,
            oo - ho * ho / spread,
            os - ho * hs / spread,
            ss - hs * hs / spread,
        ]
