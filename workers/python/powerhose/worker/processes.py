"""Slots as processes: handlers that hold Python's lock, or that may take their process down."""

import contextlib
import multiprocessing as mp
import os
import pickle
import signal
import sys
import threading
from ctypes import c_ulonglong
from multiprocessing.connection import Connection, wait
from typing import Any, Optional

from ..wire import ResultCode
from .execute import Handler, Outcome, execute
from .job import Flag, Job
from .session import Assignment

_SPAWN = mp.get_context("spawn")
_START_LIMIT = 60.0
_FAILED_STARTS = 3


class SlotFailed(RuntimeError):
    """The processes of slots do not come up."""


class _Slot:
    """One process, replaced by another when it dies."""

    def __init__(self, handler: bytes, services: tuple[str, ...]) -> None:
        self._handler = handler
        self._services = services
        self.flag: Any = _SPAWN.RawValue(c_ulonglong, 0)
        self.run = 0
        self.busy = False
        self.overran = False
        self.ready = False
        self._failed_starts = 0
        self._ended: Optional[Outcome] = None
        self._spawn()

    def _spawn(self) -> None:
        self.ready = False
        self.connection, theirs = _SPAWN.Pipe()
        arguments = (theirs, self._handler, self._services, self.flag)
        # No daemon: those may not have processes of their own. `close` ends it.
        self.process = _SPAWN.Process(target=_serve, args=arguments, name="powerhose-slot", daemon=False)
        self.process.start()
        theirs.close()

    def start(self, assignment: Assignment) -> None:
        self.run += 1
        self.busy = True
        self.overran = False
        # If it has died, `collect` finds out.
        with contextlib.suppress(OSError):
            self.connection.send((self.run, assignment))

    def collect(self) -> Optional[Outcome]:
        """How the job in the slot ended, once it did. Replaces a process that is gone."""
        try:
            if not self.connection.poll():
                return None
            outcome: Optional[Outcome] = self.connection.recv()
        except (EOFError, OSError):
            self._replace()
            return None
        if outcome is None:
            self.ready = True
            self._failed_starts = 0
            # Told only now: the next job's time must not run while the process starts.
            outcome, self._ended = self._ended, None
        else:
            self.busy = False
        return outcome

    def _replace(self) -> None:
        self.connection.close()
        self.process.join()
        code = self.process.exitcode
        if not self.ready:
            self._failed_starts += 1
            if self._failed_starts >= _FAILED_STARTS:
                raise SlotFailed(f"processes of slots end before they have begun, the last one with {_ending(code)}")
        if self.busy:
            self.busy = False
            why = f"the process of the handler ended with {_ending(code)}".encode()
            self._ended = Outcome(ResultCode.OVERRUN) if self.overran else Outcome(ResultCode.PANICKED, body=why)
        self._spawn()

    def close(self, patience: float) -> None:
        self.connection.close()
        self.process.join(patience)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class Processes:
    """A process for each slot, which runs the handler. They are spawned, never forked: libzmq does not survive a fork."""

    def __init__(self, handler: Handler, services: tuple[str, ...], slots: int) -> None:
        try:
            pickled = pickle.dumps(handler)
        except Exception as error:
            raise ValueError(f"a handler for processes is a function that can be imported: {error}") from None
        self._slots: list[_Slot] = []
        try:
            for _ in range(slots):
                self._slots.append(_Slot(pickled, services))
            self._wait_until_ready()
        except BaseException:
            self.close(wait=False)
            raise

    def _wait_until_ready(self) -> None:
        while True:
            missing: list[Any] = [slot.connection for slot in self._slots if not slot.ready]
            if not missing:
                return
            if not wait(missing, _START_LIMIT):
                raise SlotFailed(f"processes of slots do not come up within {_START_LIMIT:.0f} s")
            for slot in self._slots:
                slot.collect()

    def fds(self) -> list[int]:
        """What to poll for input."""
        return [slot.connection.fileno() for slot in self._slots]

    def start(self, slot: int, assignment: Assignment) -> None:
        """Has the slot, which is free, do a job."""
        self._slots[slot].start(assignment)

    def cancel(self, slot: int) -> None:
        """Tells the handler in the slot that nobody wants its result."""
        self._slots[slot].flag.value = self._slots[slot].run

    def end(self, slot: int) -> None:
        """Ends the process of the slot: its handler has overrun its time."""
        place = self._slots[slot]
        place.overran = place.busy
        place.process.kill()

    def collect(self) -> Optional[tuple[int, Outcome]]:
        """A slot that is done, and how."""
        for number, slot in enumerate(self._slots):
            outcome = slot.collect()
            if outcome is not None:
                return number, outcome
        return None

    def close(self, *, wait: bool) -> None:
        """Ends the processes: those that are in a handler at once."""
        for slot in self._slots:
            slot.close(5.0 if wait else 0.0)


def _ending(code: Optional[int]) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"code {code}"


def _serve(connection: "Connection[Any, Any]", handler: bytes, services: tuple[str, ...], flag: Flag) -> None:
    # A controller or a terminal signals the whole group; the worker decides what becomes of its slots.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    target: Handler = pickle.loads(handler)
    try:
        connection.send(None)
        while True:
            run, assignment = connection.recv()
            job = Job(assignment, services[assignment.service], flag, run)
            connection.send(execute(target, job))
    except (EOFError, OSError):
        sys.exit(0)


def _die_with_parent() -> None:
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
        os._exit(75)
