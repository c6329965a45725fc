"""Commands and codes; see protocol.md for what each one asks for."""

from enum import IntEnum
from typing import Optional, TypeVar

from .error import WireError


class Command(IntEnum):
    """What a message says."""

    REGISTER = 0x01
    REGISTERED = 0x02
    REJECTED = 0x03
    HEARTBEAT = 0x04
    JOB = 0x05
    RESULT = 0x06
    CANCEL = 0x07
    DRAIN = 0x08
    DISCONNECT = 0x09
    OPEN = 0x10
    OPENED = 0x11
    SUBMIT = 0x12
    REPLY = 0x13
    WITHDRAW = 0x14
    STATUS = 0x15
    REPORT = 0x16


class _Code(IntEnum):
    @property
    def label(self) -> str:
        """The name in protocol.md's tables."""
        return self.name.lower().replace("_", "-")


class ResultCode(_Code):
    """How an attempt ended."""

    OK = 0
    FAILED = 1
    PANICKED = 2
    EXPIRED = 3
    RETURNED = 4
    CANCELLED = 5
    TOO_LARGE = 6
    UNKNOWN_SERVICE = 7
    OVERRUN = 8


class RejectReason(_Code):
    """Why a message was refused."""

    UNSUPPORTED_VERSION = 1
    MALFORMED = 2
    UNKNOWN_SESSION = 3
    UNKNOWN_COMMAND = 4
    INVALID_REGISTRATION = 5
    TOO_MANY_WORKERS = 6
    DRAINING = 7
    TOO_LARGE = 8
    TOO_MANY_CLIENTS = 9


class CancelReason(_Code):
    """Why an attempt is cancelled."""

    CALLER = 1
    DEADLINE = 2
    SUPERSEDED = 3
    RECALLED = 4


class DisconnectReason(_Code):
    """Why a session ends."""

    SHUTDOWN = 1
    DRAINED = 2
    OVERFLOW = 3
    SILENT = 4


class OutcomeCode(_Code):
    """How a job ended."""

    OK = 0
    FAILED = 1
    PANICKED = 2
    OVERLOADED = 3
    NO_WORKERS = 4
    DEADLINE_EXCEEDED = 5
    WORKER_LOST = 6
    ATTEMPTS_TIMED_OUT = 7
    POISON = 8
    PAYLOAD_TOO_LARGE = 9
    METADATA_TOO_LARGE = 10
    RESULT_TOO_LARGE = 11
    INVALID_SERVICE = 12
    OVERRUN = 13
    ABANDONED = 14
    SHUTTING_DOWN = 15
    WITHDRAWN = 16
    MASTER_LOST = 17


class Started(_Code):
    """Whether the work may have been done in spite of a failure."""

    NO = 0
    MAYBE = 1
    FINISHED = 2


C = TypeVar("C", bound=_Code)


def code(kind: type[C], number: int) -> C:
    """The code with this number; raises `WireError` if there is none."""
    found: Optional[C] = kind._value2member_map_.get(number)  # type: ignore[assignment]
    if found is None:
        raise WireError("field", f"{kind.__name__} has no {number}")
    return found
