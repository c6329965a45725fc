import random

from ...wire.limits import BACKOFF_FIRST, BACKOFF_LIMIT


class Reconnect:
    """When to look for a master again, and when to stop looking."""

    def __init__(self, limit: float, rng: random.Random, now: float) -> None:
        self._limit = limit
        self._rng = rng
        self._since = now
        self._step = BACKOFF_FIRST

    def lost(self, lasted: float, now: float) -> None:
        """A session that lasted this long has ended. A short one does not reset the delays: a master that accepts everybody and
        drops everybody would be stormed."""
        if lasted >= BACKOFF_LIMIT:
            self._step = BACKOFF_FIRST
        self._since = now

    def delay(self) -> float:
        """How long to wait before the next try: at random, so that workers which lost the same master do not come in step."""
        step = self._step
        self._step = min(2 * step, BACKOFF_LIMIT)
        return self._rng.uniform(step / 2, step)

    @property
    def give_up_at(self) -> float:
        """When to stop trying."""
        return self._since + self._limit

    def credit(self, slept: float) -> None:
        """The process slept: that is no time in which it tried."""
        self._since += slept
