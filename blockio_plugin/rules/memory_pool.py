"""
Memory that several share, so that one alone has much of it and many have alike.

1. A quarter of the pool is set aside in equal parts, one for each of as many holders as there may
   be at a time, whatever the others do.
2. The rest is common. A holder may ask for more as long as what it has of the common part is at
   most ``GREED`` times what is free of it. So the part is never full: one alone comes to three
   quarters of it, of two each to three sevenths, of 32 each to a 32nd.
3. What a holder was promised, that is, what it has asked for and what is not here yet, counts for
   asking. Whether what comes is taken depends on what is here alone, so that the bytes that are
   held never exceed the pool, whatever was expected.

Shares that follow what is free are known from the buffers of network switches (Choudhury and Hahne,
"Dynamic queue length thresholds", 1998).
"""
OWN_PART = 0.25
"""The part of a pool that is set aside for holders one by one."""

GREED = 3.0
"""How much of the common part one may have for each byte that is free of it."""


class MemoryPool:
    """
    ``size`` bytes.

    :param holders: how many hold something at a time, most
    """

    def __init__(self, size: int, holders: int) -> None:
        self.size = size
        """Bytes."""
        self.own_size = int(size * OWN_PART / holders)
        """Bytes that are set aside for each holder."""
        self._common = size - self.own_size * holders
        self._held = 0
        self._common_held = 0
        self._promised = 0.0
        self._common_used = 0.0

    @property
    def held(self) -> int:
        """Bytes that all hold together."""
        return self._held

    @property
    def free(self) -> float:
        """Bytes that are neither held nor promised."""
        return self.size - self._held - self._promised

    def open(self) -> "Holding":
        """A new holder, which holds nothing."""
        return Holding(self)

    def _count(self, holding: "Holding", sign: int) -> None:
        """Add what ``holding`` has to the sums, or take it out of them."""
        self._held += sign * holding.held
        self._promised += sign * holding.promised
        self._common_held += sign * max(0, holding.held - self.own_size)
        self._common_used += sign * holding.common

    def _free_beside(self, holding: "Holding") -> float:
        """Bytes of the common part that the others leave."""
        return self._common - (self._common_used - holding.common)

    def _takes(self, holding: "Holding", size: int) -> bool:
        before = max(0, holding.held - self.own_size)
        after = max(0, holding.held + size - self.own_size)
        within_parts = self._common_held + after - before <= self._common
        return within_parts and self.fits(size)

    def fits(self, size: int) -> bool:
        """Whether ``size`` bytes are free, be they set aside for others."""
        return self._held + size <= self.size


class Holding:
    """What one of those who share a pool has of it."""

    def __init__(self, pool: MemoryPool) -> None:
        self.pool = pool
        """What it is a part of."""
        self.held = 0
        """Bytes that it holds."""
        self.promised = 0.0
        """Bytes that were asked for and are not here yet."""

    @property
    def common(self) -> float:
        """Bytes that it has of the common part, promised ones included."""
        return max(0.0, self.held + self.promised - self.pool.own_size)

    def hold(self, size: int) -> None:
        """It holds ``size`` bytes now."""
        self.pool._count(self, -1)
        self.held = size
        self.pool._count(self, 1)

    def promise(self, size: float) -> None:
        """It waits for ``size`` bytes now."""
        self.pool._count(self, -1)
        self.promised = size
        self.pool._count(self, 1)

    def close(self) -> None:
        """It holds nothing any more and waits for nothing."""
        self.hold(0)
        self.promise(0.0)

    @property
    def room(self) -> float:
        """Bytes that it may still ask for."""
        return self._room(self.held + self.promised)

    @property
    def space(self) -> float:
        """The same, were nothing promised to it."""
        return self._room(self.held)

    def _room(self, used: float) -> float:
        common = max(0.0, used - self.pool.own_size)
        free = self.pool._free_beside(self) - common
        return max(0.0, self.pool.own_size - used) + max(
            0.0, (GREED * free - common) / (1 + GREED)
        )

    def takes(self, size: int) -> bool:
        """Whether ``size`` bytes that are here may be held too."""
        return self.pool._takes(self, size)
