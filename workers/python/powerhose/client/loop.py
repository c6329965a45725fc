"""The thread that owns a client's socket."""

import logging
import math
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Optional, Union

import zmq

from ..connection import Connection
from ..curve import Curve
from ..errors import ExecuteError
from ..wake import Wake
from ..wire import WireError
from ..wire import client as wire
from ..wire.limits import LAST_WORDS
from ..worker.session.reconnect import Reconnect
from .core import Close, Connect, Core, Done, Job, Send

log = logging.getLogger("powerhose.client")

_MESSAGES_PER_TURN = 256
_RETRY = 0.01

Ask = Union[tuple[int, Job], int]
"""A job with its number, or the number of one that is withdrawn."""


class Loop(threading.Thread):
    """Moves messages between callers, the core and the socket."""

    def __init__(self, hello: wire.Open, endpoints: Sequence[str], curve: Optional[Curve]) -> None:
        super().__init__(name="powerhose-client", daemon=True)
        self._context: zmq.Context[Any] = zmq.Context()
        self._connections = {endpoint: Connection(self._context, endpoint, curve) for endpoint in endpoints}
        self._connection: Optional[Connection] = None
        now = time.monotonic()
        self._core = Core(hello, endpoints, Reconnect(math.inf, random.Random(), now), now)
        self._wake = Wake()
        self._asks: deque[Ask] = deque()
        self._leaving = False
        self._closed = False
        self._lock = threading.Lock()
        self.futures: dict[int, Future[bytes]] = {}

    def ask(self, ask: Ask) -> bool:
        """Hands something to the thread; false when it has ended."""
        with self._lock:
            if self._closed:
                return False
            self._asks.append(ask)
        self._wake.wake()
        return True

    def end(self) -> None:
        """Ends the thread and waits for that; what has no outcome yet fails as shutting down."""
        if self.is_alive():
            self._leaving = True
            self._wake.wake()
            # A callback of a job may be what ends it.
            if self is not threading.current_thread():
                self.join()

    def run(self) -> None:
        failure: Optional[BaseException] = None
        try:
            while self._core.state != "exited":
                if not self._turn() and self._core.state != "exited":
                    self._sleep()
        except BaseException as error:
            failure = error
            raise
        finally:
            self._close(failure)

    def _turn(self) -> bool:
        core = self._core
        busy = self._receive()
        now = time.monotonic()
        while self._asks:
            ask = self._asks.popleft()
            busy = True
            if isinstance(ask, int):
                core.withdraw(ask)
            else:
                core.submit(*ask, now)
        due = core.next_deadline
        if due is not None and due <= now:
            self._note_trouble()
            core.tick(now)
        if self._leaving:
            core.leave()
        busy |= bool(core.outputs)
        self._perform()
        if self._connection is not None:
            self._connection.flush()
        return busy

    def _receive(self) -> bool:
        if self._connection is None:
            return False
        for count in range(_MESSAGES_PER_TURN):
            frames = self._connection.receive()
            if frames is None:
                return count > 0
            try:
                self._core.message(wire.decode_to_client(frames), time.monotonic())
            except WireError as error:
                log.debug("the master sent something that is no message: %s", error)
        return True

    def _perform(self) -> None:
        outputs = self._core.outputs
        while outputs:
            output = outputs.popleft()
            if isinstance(output, Send):
                if self._connection is not None:
                    self._connection.send(wire.encode(output.message))
            elif isinstance(output, Done):
                self._complete(output.job, output.outcome)
            else:
                self._note_trouble()
                if self._connection is not None:
                    self._connection.close(linger=0)
                    self._connection = None
                if isinstance(output, Connect):
                    self._connection = self._connections[output.endpoint]
                    self._connection.open()
                else:
                    assert isinstance(output, Close)

    def _note_trouble(self) -> None:
        if self._connection is not None and not self._core.is_up:
            self._core.trouble = self._connection.trouble()

    def _complete(self, number: int, outcome: Union[bytes, ExecuteError]) -> None:
        future = self.futures.pop(number, None)
        # One that was cancelled wants no outcome.
        if future is None or not future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, ExecuteError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    def _sleep(self) -> None:
        sockets: list[Any] = [self._wake.fd]
        stuck = False
        if self._connection is not None:
            stuck = self._connection.stuck
            if self._connection.socket is not None:
                sockets.append(self._connection.socket)
        due = self._core.next_deadline
        timeout = -1 if due is None else max(0, math.ceil((due - time.monotonic()) * 1000))
        if stuck:
            timeout = int(_RETRY * 1000)
        ready = zmq.zmq_poll([(socket, zmq.POLLIN) for socket in sockets], timeout)
        if any(socket == self._wake.fd for socket, _ in ready):
            self._wake.drain()

    def _close(self, failure: Optional[BaseException]) -> None:
        with self._lock:
            self._closed = True
        if self._connection is not None:
            self._connection.close(linger=0 if failure is not None else LAST_WORDS)
        self._context.term()
        for future in list(self.futures.values()):
            if future.set_running_or_notify_cancel():
                future.set_exception(RuntimeError(f"the client's thread ended: {failure}"))
        self.futures.clear()
        self._wake.close()
