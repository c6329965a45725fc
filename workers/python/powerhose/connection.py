"""A DEALER that is replaced whenever a session wants a new connection."""

import contextlib
from collections import deque
from typing import Any, Optional

import zmq

from . import endpoint as endpoints
from .curve import Curve

Frames = list[bytes]


class Connection:
    """The connection to a master, and the messages that found no room in it. Belongs to one thread."""

    def __init__(self, context: "zmq.Context[Any]", endpoint: str, curve: Optional[Curve]) -> None:
        self._context = context
        self._endpoint = endpoint
        self._curve = curve
        self._outbox: deque[Frames] = deque()
        self.socket: Optional[zmq.Socket[Any]] = None

    def open(self) -> None:
        """Opens a new connection. The old one goes with everything in it: it was meant for a master that may be gone."""
        self.close(linger=0)
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        if endpoints.is_ipv6(self._endpoint):
            socket.ipv6 = True
        if self._curve is not None:
            self._curve.apply(socket)
        socket.connect(self._endpoint)
        self.socket = socket

    def close(self, linger: float) -> None:
        """Closes it; what was sent last may still get out for as long."""
        self._outbox.clear()
        if self.socket is not None:
            self.socket.close(linger=int(linger * 1000))
            self.socket = None

    @property
    def stuck(self) -> bool:
        """Whether messages wait for room."""
        return bool(self._outbox)

    def receive(self) -> Optional[Frames]:
        """A message, if there is one. While a message waits for room none is taken in: what it leads to had to wait, too."""
        if self.socket is None or self._outbox:
            return None
        with contextlib.suppress(zmq.Again):
            return self.socket.recv_multipart(zmq.DONTWAIT)
        return None

    def send(self, frames: Frames) -> None:
        """Sends a message, as soon as there is room."""
        self._outbox.append(frames)
        self.flush()

    def flush(self) -> None:
        """Sends what there is room for."""
        while self._outbox and self.socket is not None:
            try:
                self.socket.send_multipart(self._outbox[0], zmq.DONTWAIT)
            except zmq.Again:
                return
            self._outbox.popleft()
