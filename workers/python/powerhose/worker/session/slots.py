from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from .events import Assignment


@dataclass
class Running:
    """The job in a slot."""

    job: Assignment
    started: float
    wanted: bool = True
    """Whether its session lives: only then may its result be sent."""
    cancelled: bool = False
    """Whether its handler was told."""
    reported: bool = False
    """Whether it was reported for overrunning its time."""


class Slots:
    """The slots of a worker, each with at most one job."""

    def __init__(self, count: int) -> None:
        self._places: list[Optional[Running]] = [None] * count
        # A stack: the slot that was busy last has the warmest caches.
        self._free = list(reversed(range(count)))

    def __len__(self) -> int:
        return len(self._places)

    @property
    def any_free(self) -> bool:
        return bool(self._free)

    @property
    def all_free(self) -> bool:
        return len(self._free) == len(self._places)

    def occupy(self, running: Running) -> int:
        """Puts a job into a free slot."""
        slot = self._free.pop()
        self._places[slot] = running
        return slot

    def release(self, slot: int) -> Optional[Running]:
        """Takes the job out of a slot."""
        running, self._places[slot] = self._places[slot], None
        if running is not None:
            self._free.append(slot)
        return running

    def busy(self) -> Iterator[tuple[int, Running]]:
        """The busy slots with their numbers."""
        return ((slot, running) for slot, running in enumerate(self._places) if running is not None)
