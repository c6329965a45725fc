import itertools
import os
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Optional, Union

from .. import endpoint as endpoints
from ..curve import Curve
from ..errors import Forked, NoWorkers, Overloaded, error_of
from ..version import IMPLEMENTATION
from ..wire import client as wire
from ..wire.codes import OutcomeCode, Started
from ..wire.control import is_service_name
from ..wire.limits import MAX_METADATA
from .core import Job
from .loop import Loop

DEFAULT_TIMEOUT = 30.0
MAX_ATTEMPTS = 3


class Client:
    """Hands jobs to a master in another process; one client carries thousands at a time, from any thread.

    - `endpoint`: the master's frontend, or several masters in order of preference, each with its own workers.
    - `curve`: keys for tcp. `insecure` allows tcp beyond this machine without any.
    - `max_pending`: jobs without an outcome beyond which further ones are `Overloaded` at once.

    It connects in the background, and finds a master that was restarted. Jobs that may be started twice are then submitted again.
    A client does not survive a fork: use it only in the process that made it; elsewhere it raises `Forked`.
    """

    def __init__(
        self,
        endpoint: Union[str, Sequence[str]],
        *,
        curve: Optional[Curve] = None,
        insecure: bool = False,
        max_pending: int = 100_000,
    ) -> None:
        given = [endpoint] if isinstance(endpoint, str) else list(endpoint)
        if not given:
            raise ValueError("endpoint: say where a master listens")
        checked = [endpoints.check(each, encrypted=curve is not None, insecure=insecure) for each in given]
        hello = wire.Open(0, os.getpid(), socket.gethostname()[:64], IMPLEMENTATION)
        self._pid = os.getpid()
        self._max_pending = max_pending
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._loop = Loop(hello, list(dict.fromkeys(checked)), curve)
        self._loop.start()

    def execute(
        self,
        body: bytes,
        *,
        service: str = "",
        timeout: float = DEFAULT_TIMEOUT,
        metadata: Optional[bytes] = None,
        attempts: int = MAX_ATTEMPTS,
        attempt_timeout: Optional[float] = None,
        at_most_once: bool = False,
    ) -> bytes:
        """Has a job done and returns its result; blocks until then, at most `timeout` seconds.

        `attempts` is how many workers may be tried, 1 to 3, if those before were lost or took longer than `attempt_timeout` seconds;
        `at_most_once` forbids to start the job twice. Raises `ExecuteError`.
        """
        future = self.submit(
            body,
            service=service,
            timeout=timeout,
            metadata=metadata,
            attempts=attempts,
            attempt_timeout=attempt_timeout,
            at_most_once=at_most_once,
        )
        try:
            return future.result()
        except NoWorkers as error:
            raise self._explain(error) from None

    def submit(
        self,
        body: bytes,
        *,
        service: str = "",
        timeout: float = DEFAULT_TIMEOUT,
        metadata: Optional[bytes] = None,
        attempts: int = MAX_ATTEMPTS,
        attempt_timeout: Optional[float] = None,
        at_most_once: bool = False,
    ) -> "Future[bytes]":
        """Like `execute`, without waiting. Cancelling the future withdraws the job."""
        if os.getpid() != self._pid:
            raise self._forked()
        if not is_service_name(service):
            raise error_of(OutcomeCode.INVALID_SERVICE, Started.NO, service)
        if metadata is not None and len(metadata) > MAX_METADATA:
            raise error_of(OutcomeCode.METADATA_TOO_LARGE, Started.NO, detail=MAX_METADATA)
        if not 1 <= attempts <= MAX_ATTEMPTS:
            raise ValueError(f"attempts: 1 to {MAX_ATTEMPTS} are possible, not {attempts}")
        if len(self._loop.futures) >= self._max_pending:
            raise Overloaded(f"overloaded: {self._max_pending} jobs of this client have no outcome yet", Started.NO)
        job = Job(
            service=service,
            body=bytes(body),
            metadata=metadata,
            deadline=time.monotonic() + timeout,
            attempts=1 if at_most_once else attempts,
            at_most_once=at_most_once,
            attempt_timeout_ms=None if attempt_timeout is None else max(1, int(attempt_timeout * 1000)),
        )
        future: Future[bytes] = Future()
        # Numbers must reach the thread in their order.
        with self._lock:
            number = next(self._numbers)
            self._loop.futures[number] = future
            accepted = self._loop.ask((number, job))
        if not accepted:
            self._loop.futures.pop(number, None)
            raise error_of(OutcomeCode.SHUTTING_DOWN, Started.NO)
        future.add_done_callback(lambda done: self._withdraw(number) if done.cancelled() else None)
        return future

    def _forked(self) -> Forked:
        return Forked(
            f"this client belongs to process {self._pid}, from which this one was forked: make a client after the fork", Started.NO
        )

    def _explain(self, error: NoWorkers) -> NoWorkers:
        """The error with what is known here about workers, which is nothing."""
        return error

    def _withdraw(self, number: int) -> None:
        if self._loop.futures.pop(number, None) is not None:
            self._loop.ask(number)

    def close(self) -> None:
        """Ends the client. Jobs without an outcome fail as `ShuttingDown`, and are withdrawn."""
        if os.getpid() == self._pid:
            self._loop.end()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()
