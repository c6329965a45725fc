"""What the workers of the tests do."""

import os
import signal
import time

from powerhose import Job, JobCancelled, JobError


def square(job: Job) -> str:
    try:
        return str(int(job.body) ** 2)
    except ValueError:
        raise JobError(f"{job.body!r} is not a number") from None


def everything(job: Job) -> bytes:
    """Does what the service's name says."""
    return {
        "echo": lambda: job.body,
        "describe": lambda: f"{job.service} {job.attempt} {job.metadata!r}".encode(),
        "fail": lambda: _fail(job),
        "raise": lambda: _raise(),
        "wait": lambda: _wait_for_cancel(job),
        "sleep": lambda: _sleep(job),
        "crash": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "pid": lambda: str(os.getpid()).encode(),
        "number": lambda: 7,
    }[job.service]()  # type: ignore[no-any-return,no-untyped-call]


SERVICES = ["echo", "describe", "fail", "raise", "wait", "sleep", "crash", "pid", "number"]


def _fail(job: Job) -> bytes:
    raise JobError(b"no " + job.body)


def _raise() -> bytes:
    raise KeyError("planted")


def _wait_for_cancel(job: Job) -> bytes:
    while not job.cancelled:
        time.sleep(0.001)
    raise JobCancelled


def _sleep(job: Job) -> bytes:
    time.sleep(float(job.body))
    return b"slept"
