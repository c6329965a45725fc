"""A master's end of the wire, played by a test message by message."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

import zmq

from powerhose.wire import DisconnectReason, ResultCode
from powerhose.wire import worker as wire
from powerhose.wire.control import Terms

PATIENCE = 60.0
T = TypeVar("T")


def eventually(what: str, condition: "Callable[[], Optional[T]]") -> T:
    """Waits until the condition gives something."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = condition()
        if found is not None and found is not False:
            return found
        time.sleep(0.002)
    raise AssertionError(f"not within {PATIENCE:.0f} s: {what}")


class Master:
    """Binds an endpoint, reads what workers send, says what it is told to say."""

    def __init__(self, path: Path, heartbeat_ms: int = 1000, misses: int = 60, max_body: int = 1 << 20) -> None:
        self.endpoint = f"ipc://{path}"
        self._context: zmq.Context[Any] = zmq.Context()
        self.socket: zmq.Socket[Any] = self._context.socket(zmq.ROUTER)
        self.socket.router_mandatory = True
        self.socket.linger = 0
        self.socket.bind(self.endpoint)
        self.terms = Terms(heartbeat_ms, misses, max_body)
        self.peer = b""
        self.session = 0
        self.job = 0
        self.offer: Any = None
        self.pings = 0

    def receive(self) -> wire.FromWorker:
        """The next message that is no ping; pings and DRAIN are answered."""
        while True:
            assert self.socket.poll(PATIENCE * 1000), "the worker is silent"
            peer, *frames = self.socket.recv_multipart()
            message = wire.decode_from_worker(frames)
            if isinstance(message, wire.Heartbeat):
                self.pings += 1
                self._send_to(peer, wire.Heartbeat(message.session))
                continue
            self.peer = peer
            if isinstance(message, wire.Drain):
                self._send_to(peer, wire.Drain(message.session))
            return message

    def _send_to(self, peer: bytes, message: wire.ToWorker) -> None:
        with contextlib.suppress(zmq.ZMQError):
            self.socket.send_multipart([peer, *wire.encode(message)])

    def send(self, message: wire.ToWorker) -> None:
        self._send_to(self.peer, message)

    def register(self, session: int = 7) -> "wire.Register":
        """Waits for a worker and gives it a session."""
        message = self.receive()
        assert isinstance(message, wire.Register), message
        self.offer, self.session = message.offer, session
        self.send(wire.Registered(session, self.terms))
        return message

    def give(self, service: str, body: bytes = b"", budget_ms: int = 60_000, metadata: Optional[bytes] = None) -> wire.Key:
        """Sends a job."""
        self.job += 1
        key = (self.job, 1)
        index = self.offer.services.index(service)
        self.send(wire.Job(self.session, key, index, budget_ms, body, metadata))
        return key

    def result(self, key: "Optional[wire.Key]" = None) -> "tuple[ResultCode, bytes]":
        """The next RESULT."""
        message = self.receive()
        assert isinstance(message, wire.Result), message
        assert message.session == self.session
        assert key is None or message.key == key
        return message.code, message.body

    def do(self, service: str, body: bytes = b"", **more: Any) -> "tuple[ResultCode, bytes]":
        """Sends a job and waits for its result."""
        return self.result(self.give(service, body, **more))

    def expect_goodbye(self) -> None:
        assert self.receive() == wire.Disconnect(self.session, DisconnectReason.DRAINED)

    def close(self) -> None:
        self.socket.close()
        self._context.term()


@contextlib.contextmanager
def listening(path: Path, **terms: int) -> "Iterator[Master]":
    master = Master(path, **terms)
    try:
        yield master
    finally:
        master.close()
