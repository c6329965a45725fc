"""The frontend of a standalone master, played by a test message by message."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zmq
from master import PATIENCE

from powerhose.wire import client as wire
from powerhose.wire.codes import OutcomeCode, Started
from powerhose.wire.worker import Heartbeat


class Frontend:
    """Binds an endpoint, reads what clients send, says what it is told to say."""

    def __init__(self, path: Path, **terms: int) -> None:
        self.endpoint = f"ipc://{path}"
        self._context: zmq.Context[Any] = zmq.Context()
        self.socket: zmq.Socket[Any] = self._context.socket(zmq.ROUTER)
        self.socket.router_mandatory = True
        self.socket.linger = 0
        self.socket.bind(self.endpoint)
        defaults = {"heartbeat_ms": 1000, "misses": 60, "max_body": 1000, "grace_ms": 5000, "max_jobs": 100, "max_bytes": 10_000}
        self.terms = {**defaults, **terms}
        self.peer = b""
        self.session = 0
        self.received = 0

    def receive(self) -> wire.FromClient:
        """The next message that is no ping; pings are answered."""
        while True:
            assert self.socket.poll(PATIENCE * 1000), "the client is silent"
            peer, *frames = self.socket.recv_multipart()
            message = wire.decode_from_client(frames)
            if isinstance(message, wire.Ping):
                self.received = message.received
                with contextlib.suppress(zmq.ZMQError):
                    self.socket.send_multipart([peer, *wire.encode(Heartbeat(message.session))])
                continue
            self.peer = peer
            return message

    def send(self, message: Any) -> None:
        self.socket.send_multipart([self.peer, *wire.encode(message)])

    def open(self, session: int = 7, submitted: int = 0) -> wire.Open:
        """Waits for a client and gives it a session."""
        message = self.receive()
        assert isinstance(message, wire.Open), message
        self.session = session
        self.send(wire.Opened(session, submitted=submitted, **self.terms))
        return message

    def job(self) -> wire.Submit:
        """The next SUBMIT."""
        message = self.receive()
        assert isinstance(message, wire.Submit), message
        assert message.session == self.session
        return message

    def reply(self, job: wire.Submit, code: OutcomeCode = OutcomeCode.OK, body: bytes = b"", **more: Any) -> None:
        started = more.pop("started", Started.FINISHED)
        self.send(wire.Reply(self.session, job.job, code, started, more.pop("attempts", 0), more.pop("detail", 0), body))

    def close(self) -> None:
        self.socket.close()
        self._context.term()


@contextlib.contextmanager
def fronting(path: Path, **terms: int) -> "Iterator[Frontend]":
    frontend = Frontend(path, **terms)
    try:
        yield frontend
    finally:
        frontend.close()
