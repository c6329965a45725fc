"""What goes into a session and what comes out of it."""

from typing import NamedTuple, Optional, Union

from ...wire import ResultCode
from ...wire.worker import FromWorker, Key
from ..exit import Exit


class Assignment(NamedTuple):
    """A job for a slot."""

    key: Key
    service: int
    """The index among the services registered."""
    deadline: float
    """When the caller stops waiting, on the clock that the session is driven with."""
    body: bytes
    metadata: Optional[bytes]


class Open(NamedTuple):
    """Close the connection, with everything that waits in it, and open a new one."""


class Send(NamedTuple):
    """Send a message over the connection."""

    message: FromWorker


class Start(NamedTuple):
    """Run the handler in a slot, which is free. `Session.finished` must follow."""

    slot: int
    job: Assignment


class CancelSlot(NamedTuple):
    """Nobody wants the result of the job in this slot any more."""

    slot: int


class Overrun(NamedTuple):
    """The handler in this slot has overrun its time. Said once for each job."""

    slot: int
    job: Assignment
    running: float


class Leave(NamedTuple):
    """The worker is done; nothing follows. What was sent before is still worth delivering."""

    exit: Exit


Output = Union[Open, Send, Start, CancelSlot, Overrun, Leave]


class Answer(NamedTuple):
    """What RESULT says."""

    key: Key
    code: ResultCode
    elapsed_us: int = 0
    body: bytes = b""
