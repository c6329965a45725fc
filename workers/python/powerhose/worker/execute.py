"""Runs the handler on a job."""

import logging
import time
from typing import Callable, NamedTuple, Union

from ..wire import ResultCode
from .job import Job, JobCancelled, JobError

log = logging.getLogger("powerhose.worker")

Answer = Union[bytes, bytearray, memoryview, str, None]
Handler = Callable[[Job], Answer]


class Outcome(NamedTuple):
    """How a handler ended."""

    code: ResultCode
    elapsed: float = 0.0
    body: bytes = b""


def execute(handler: Handler, job: Job) -> Outcome:
    """Runs the handler; an exception fails the job, and the worker lives on."""
    if job.cancelled:
        return Outcome(ResultCode.CANCELLED if job.remaining else ResultCode.EXPIRED)
    started = time.monotonic()
    try:
        code, body = ResultCode.OK, _bytes(handler(job))
    except JobError as error:
        code, body = ResultCode.FAILED, error.message
    except JobCancelled:
        code, body = ResultCode.CANCELLED, b""
    except SystemExit as error:
        code, body = ResultCode.PANICKED, f"SystemExit: {error}".encode()
    except Exception as error:
        log.exception("the handler of service %r raised", job.service)
        code, body = ResultCode.PANICKED, f"{type(error).__name__}: {error}".encode(errors="replace")
    return Outcome(code, time.monotonic() - started, body)


def _bytes(answer: object) -> bytes:
    if isinstance(answer, bytes):
        return answer
    if isinstance(answer, str):
        return answer.encode()
    if isinstance(answer, (bytearray, memoryview)):
        return bytes(answer)
    if answer is None:
        return b""
    raise TypeError(f"a handler returns bytes, text or nothing, not {type(answer).__name__}")
