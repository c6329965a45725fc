"""How a worker ended."""

from enum import Enum
from typing import NamedTuple, Optional

from ..wire import RejectReason


class Cause(Enum):
    """Why a worker stopped working."""

    DRAINED = "told to drain"
    MAX_JOBS = "has done as many jobs as it is set to"
    MAX_AGE = "has reached the age it is set to"
    MASTER_LOST = "no master within the limit"
    STOPPED = "told to stop at once"
    REJECTED = "the master refuses this worker"


_CODES = {Cause.MASTER_LOST: 69, Cause.STOPPED: 75, Cause.REJECTED: 76}


class Exit(NamedTuple):
    """Why a worker stopped working, and what the master said if it refused it, or why none was found."""

    cause: Cause
    reason: Optional[RejectReason] = None
    message: str = ""

    @property
    def code(self) -> int:
        """The code to exit with, from sysexits.h.

        0 drained, as many jobs done or as old as set; 69 no master; 75 told to stop at once; 78 the master refused the
        registration; 76 it refused anything else. After 76 and 78 a controller should tell a person.
        """
        if self.reason == RejectReason.INVALID_REGISTRATION:
            return 78
        return _CODES.get(self.cause, 0)

    def __str__(self) -> str:
        return f"{self.cause.value}: {self.message}" if self.message else self.cause.value
