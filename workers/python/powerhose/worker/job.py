import time
from typing import Optional, Protocol

from .session import Assignment


class Flag(Protocol):
    """Says which jobs of a slot are cancelled."""

    value: int
    """The latest cancelled run. Those before it have ended."""


class ThreadFlag:
    """A flag for threads of one process."""

    def __init__(self) -> None:
        self.value = 0


class Job:
    """A job in the hands of a handler."""

    __slots__ = ("_deadline", "_flag", "_run", "attempt", "body", "metadata", "service")

    body: bytes
    """The payload, as the caller gave it."""
    service: str
    """The service that the caller asked for; empty for the default one."""
    metadata: Optional[bytes]
    """What travels beside the payload, such as a W3C `traceparent`."""
    attempt: int
    """Which attempt this is, from 1. A higher one means that workers were lost with this job, or were too slow."""

    def __init__(self, assignment: Assignment, service: str, flag: Flag, run: int) -> None:
        self.body = assignment.body
        self.service = service
        self.metadata = assignment.metadata
        self.attempt = assignment.key[1]
        self._deadline = assignment.deadline
        self._flag = flag
        self._run = run

    @property
    def remaining(self) -> float:
        """How many seconds the caller will still wait; 0 once it has given up."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the result any more: the caller went away, its time is over, another worker was faster, the
        master is gone for good. A handler that takes long asks now and then, and raises `JobCancelled`."""
        return self._flag.value >= self._run or self.remaining == 0

    def __repr__(self) -> str:
        # Without payload and metadata: they are none of the log's business.
        return f"<Job service={self.service!r} attempt={self.attempt} bytes={len(self.body)}>"


class JobError(Exception):
    """A handler raises it to say that the job failed. The text, or the bytes, reach the caller, as `Failed`."""

    def __init__(self, message: "str | bytes" = "") -> None:
        super().__init__(message)
        self.message = message.encode() if isinstance(message, str) else message


class JobCancelled(Exception):
    """A handler raises it to give up because `Job.cancelled` told it so."""
