"""A modelled peer in virtual time: when it is done with an answer, and when that reaches us."""
from random import Random
from typing import NamedTuple, Optional, Tuple

from blockio_plugin.simulator.models import PeerModel, RateStep


def serve_until(steps: Tuple[RateStep, ...], start: float, amount: float) -> float:
    """When so many blocks, or bytes, that begin to be sent at ``start`` have been sent."""
    time, left = start, float(amount)
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


class Tokens:
    """A token bucket, full at first. Times (s) do not fall."""

    def __init__(self, burst: float, refill: float) -> None:
        self._burst = burst
        self._refill = refill
        self._left = burst
        self._at = 0.0

    def _fill(self, time: float) -> None:
        self._left = min(self._burst, self._left + (time - self._at) * self._refill)
        self._at = time

    def spend(self, time: float, tokens: float) -> float:
        """When ``tokens`` that are asked for at ``time`` are there; they are spent then."""
        self._fill(time)
        if self._left < tokens:
            time += (tokens - self._left) / self._refill
            self._left, self._at = tokens, time
        self._left -= tokens
        return time

    def try_spend(self, time: float) -> bool:
        """Spend one token at ``time``. Whether there was one."""
        self._fill(time)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def left_at(self, time: float) -> float:
        """Tokens that will be there at ``time``."""
        return min(self._burst, self._left + (time - self._at) * self._refill)

    def rewind(self, time: float) -> None:
        """What was to be spent after ``time`` was not."""
        self._at = min(self._at, time)


class Turn(NamedTuple):
    """A request ``reached`` its peer, which turns to it when it ``begins`` (s)."""

    reached: float
    begins: float


class PeerClock:
    """The time of one peer: requests are served first in, first out, and stay in order."""

    def __init__(self, model: PeerModel, jitter: float, random: Random) -> None:
        self._model = model
        self._jitter = jitter
        self._random = random
        self._reached = 0.0
        self._free_at = 0.0
        self._arrived = 0.0
        self._advert_arrived = 0.0
        self._tokens = None if model.bucket is None else Tokens(*model.bucket)
        self._quota = None if model.quota is None else Tokens(model.quota.burst, model.quota.rate)

    def _delay(self) -> float:
        return self._model.rtt / 2 * (1 + self._jitter * self._random.uniform(-0.5, 0.5))

    def take(self, now: float) -> Turn:
        """Take in a request that is sent ``now``."""
        self._reached = max(self._reached, now + self._delay())
        return Turn(self._reached, max(self._reached, self._free_at))

    def is_within_quota(self, turn: Turn) -> bool:
        """Whether it may answer the request, as far as its quota goes; counts it if so."""
        return self._quota is None or self._quota.try_spend(turn.reached)

    def work(self, turn: Turn, amount: float) -> float:
        """When it has done an answer of so many blocks, or bytes."""
        done = serve_until(self._model.rate, turn.begins + self._model.overhead, amount)
        self._free_at = done if self._tokens is None else self._tokens.spend(done, amount)
        return self._free_at

    def deliver(self, done: float) -> Optional[float]:
        """When an answer that is ``done`` then reaches us; None: never."""
        silent_after = self._model.silent_after
        if silent_after is not None and done > silent_after:
            return None
        self._arrived = max(self._arrived, done + self._delay())
        return self._arrived

    def deliver_advert(self, sent: float) -> float:
        """When an advert reaches us that is ``sent`` then; none overtakes another."""
        self._advert_arrived = max(self._advert_arrived, sent + self._delay())
        return self._advert_arrived

    def describe_from(self, now: float) -> PeerModel:
        """The peer as one that joins when it has done what it was asked until ``now``."""
        model, free_at = self._model, max(self._free_at, now)
        if self._tokens is not None and model.bucket is not None:
            left = self._tokens.left_at(free_at)
            model = model._replace(bucket=model.bucket._replace(burst=left))
        if self._quota is not None and model.quota is not None:
            left = self._quota.left_at(free_at)
            model = model._replace(quota=model.quota._replace(burst=left))
        return model._replace(joins=free_at)

    def reconnect(self, now: float) -> None:
        """Forget what it was asked and has not answered."""
        self._free_at = min(self._free_at, now)
        self._reached = self._arrived = self._advert_arrived = now
        for tokens in (self._tokens, self._quota):
            if tokens is not None:
                tokens.rewind(now)
