"""How a job can fail, as its caller sees it.

Every job has exactly one outcome: its bytes, or one of these.
"""

from typing import Optional

from .wire.codes import OutcomeCode, Started


class ExecuteError(Exception):
    """A job that gave no result."""

    code = "failed"
    """The name in protocol.md's table of outcome codes; it does not change."""
    fault = "operator"
    """Who has to change something: `caller`, `worker` or `operator`."""
    retryable = False
    """Whether the same job may well succeed later. Says nothing about whether repeating it is safe: see `started`."""

    def __init__(self, text: str, started: Started, retry_after: Optional[float] = None) -> None:
        super().__init__(text)
        self.started = started.label
        """Whether the work may have been done in spite of the failure: `no`, `maybe`, or `finished` by a handler that reported the
        failure itself."""
        self.retry_after = retry_after
        """Seconds after which another try makes sense, where that is known."""


class JobFailed(ExecuteError):
    """The handler reported an error."""

    fault = "worker"

    def __init__(self, text: str, started: Started, message: bytes) -> None:
        super().__init__(text, started)
        self.message = message
        """What the handler said, as it said it."""


class Panicked(JobFailed):
    """The handler panicked, or raised something unexpected."""

    code = "panicked"


class Overloaded(ExecuteError):
    """Too much work is waiting; the job was refused at once. `retry_after` says when it is likely to be done."""

    code, retryable = "overloaded", True


class NoWorkers(ExecuteError):
    """No worker offered the service before the job's deadline."""

    code, retryable = "no-workers", True


class DeadlineExceeded(ExecuteError):
    """The deadline passed."""

    code, retryable = "deadline-exceeded", True


class WorkerLost(ExecuteError):
    """The workers that had the job were lost, as often as the job may be tried."""

    code, retryable = "worker-lost", True


class AttemptsTimedOut(ExecuteError):
    """Every attempt that the job may have took longer than the attempt timeout."""

    code, fault, retryable = "attempts-timed-out", "worker", True


class Poison(ExecuteError):
    """Two workers died while this was the only job they had: it is not given to a third."""

    code, fault = "poison", "worker"


class PayloadTooLarge(ExecuteError):
    """The payload is larger than the master takes."""

    code, fault = "payload-too-large", "caller"


class MetadataTooLarge(ExecuteError):
    """The metadata is larger than 8 KiB."""

    code, fault = "metadata-too-large", "caller"


class ResultTooLarge(ExecuteError):
    """The result was larger than the master takes."""

    code, fault = "result-too-large", "worker"


class InvalidService(ExecuteError):
    """No service can have that name."""

    code, fault = "invalid-service", "caller"


class HandlerOverrun(ExecuteError):
    """The worker's own time limit ended the handler."""

    code, fault = "overrun", "worker"


class Abandoned(ExecuteError):
    """The handler gave up although nobody had told it to."""

    code, fault = "abandoned", "worker"


class ShuttingDown(ExecuteError):
    """The master, or this client, ends."""

    code, retryable = "shutting-down", True


class MasterLost(ExecuteError):
    """The master was lost. `started` says whether the work may have been done."""

    code, retryable = "master-lost", True


class Forked(ExecuteError):
    """The client was made before a fork and cannot be used in the child: libzmq does not survive it. Make one after the fork."""

    code, fault = "forked", "caller"


_TEXTS: "dict[OutcomeCode, tuple[type[ExecuteError], str]]" = {
    OutcomeCode.OVERLOADED: (Overloaded, "overloaded: too much work is waiting, try again in {detail} ms"),
    OutcomeCode.NO_WORKERS: (NoWorkers, "no worker offers the service {service!r}"),
    OutcomeCode.DEADLINE_EXCEEDED: (DeadlineExceeded, "the deadline passed; started: {started}"),
    OutcomeCode.WORKER_LOST: (WorkerLost, "the worker was lost in attempt {attempts}, the last one allowed"),
    OutcomeCode.ATTEMPTS_TIMED_OUT: (
        AttemptsTimedOut,
        "attempt {attempts}, the last one, took longer than the attempt timeout",
    ),
    OutcomeCode.POISON: (Poison, "the job is suspected of killing its workers: {attempts} died while it was alone with them"),
    OutcomeCode.PAYLOAD_TOO_LARGE: (PayloadTooLarge, "the payload is too large: at most {detail} bytes are taken"),
    OutcomeCode.METADATA_TOO_LARGE: (MetadataTooLarge, "the metadata is too large: at most {detail} bytes are taken"),
    OutcomeCode.RESULT_TOO_LARGE: (ResultTooLarge, "the result is too large: at most {detail} bytes are taken"),
    OutcomeCode.INVALID_SERVICE: (InvalidService, "{service!r} cannot name a service"),
    OutcomeCode.OVERRUN: (HandlerOverrun, "the worker's own time limit ended the handler"),
    OutcomeCode.ABANDONED: (Abandoned, "the handler gave up although nobody had told it to"),
    OutcomeCode.SHUTTING_DOWN: (ShuttingDown, "shutting down; started: {started}"),
    OutcomeCode.MASTER_LOST: (MasterLost, "the master was lost; started: {started}"),
    OutcomeCode.WITHDRAWN: (Abandoned, "the job was withdrawn"),
}


def error_of(
    code: OutcomeCode, started: Started, service: str = "", body: bytes = b"", attempts: int = 0, detail: int = 0
) -> ExecuteError:
    """The exception for an outcome that is no result."""
    said = body.decode(errors="replace")
    if code == OutcomeCode.FAILED:
        return JobFailed(f"the handler failed: {said}", started, body)
    if code == OutcomeCode.PANICKED:
        return Panicked(f"the handler panicked: {said}", started, body)
    kind, text = _TEXTS[code]
    retry_after = detail / 1000 if code == OutcomeCode.OVERLOADED else None
    return kind(text.format(service=service, started=started.label, attempts=attempts, detail=detail), started, retry_after)
