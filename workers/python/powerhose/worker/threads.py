"""Slots as threads of this process."""

import threading
from collections import deque
from queue import SimpleQueue
from typing import Optional

from ..wake import Wake
from .execute import Handler, Outcome, execute
from .job import Job, ThreadFlag
from .session import Assignment

_PATIENCE = 1.0


class Threads:
    """A thread for each slot, which runs the handler."""

    def __init__(self, handler: Handler, services: tuple[str, ...], slots: int, wake: Wake) -> None:
        self._services = services
        self._wake = wake
        self._flags = [ThreadFlag() for _ in range(slots)]
        self._runs = [0] * slots
        self._inboxes: list[SimpleQueue[Optional[Job]]] = [SimpleQueue() for _ in range(slots)]
        self._finished: deque[tuple[int, Outcome]] = deque()
        self._threads = [
            # Daemons: a handler that never ends must not keep the process.
            threading.Thread(target=self._work, args=(handler, slot), name=f"powerhose-{slot}", daemon=True)
            for slot in range(slots)
        ]
        for thread in self._threads:
            thread.start()

    def fds(self) -> list[int]:
        """What to poll for input besides the wake-up."""
        return []

    def start(self, slot: int, assignment: Assignment) -> None:
        """Has the slot, which is free, do a job."""
        self._runs[slot] += 1
        job = Job(assignment, self._services[assignment.service], self._flags[slot], self._runs[slot])
        self._inboxes[slot].put(job)

    def cancel(self, slot: int) -> None:
        """Tells the handler in the slot that nobody wants its result."""
        self._flags[slot].value = self._runs[slot]

    def end(self, slot: int) -> None:
        """Threads cannot be ended from outside."""

    def collect(self) -> Optional[tuple[int, Outcome]]:
        """A slot that is done, and how."""
        return self._finished.popleft() if self._finished else None

    def close(self, *, wait: bool) -> None:
        """Sends the threads home; waits for them if none is in a handler."""
        for inbox in self._inboxes:
            inbox.put(None)
        if wait:
            for thread in self._threads:
                thread.join(_PATIENCE)

    def _work(self, handler: Handler, slot: int) -> None:
        while True:
            job = self._inboxes[slot].get()
            if job is None:
                return
            self._finished.append((slot, execute(handler, job)))
            # Neither the payload nor what the handler made of it is kept while the slot is idle.
            del job
            self._wake.wake()
