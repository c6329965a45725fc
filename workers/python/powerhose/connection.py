"""A DEALER that is replaced whenever a session wants a new connection."""

import contextlib
from collections import deque
from typing import Any, Optional

import zmq
from zmq.utils.monitor import parse_monitor_message

from . import endpoint as endpoints
from .curve import Curve

Frames = list[bytes]

_WATCHED = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)


class Connection:
    """The connection to a master, and the messages that found no room in it. Belongs to one thread."""

    def __init__(self, context: "zmq.Context[Any]", endpoint: str, curve: Optional[Curve]) -> None:
        self._context = context
        self._endpoint = endpoint
        self._curve = curve
        self._outbox: deque[Frames] = deque()
        self._monitor: Optional[zmq.Socket[Any]] = None
        self._seen = self._seen_before = 0
        self.socket: Optional[zmq.Socket[Any]] = None

    def open(self) -> None:
        """Opens a new connection. The old one goes with everything in it: it was meant for a master that may be gone."""
        self.close(linger=0)
        self._seen, self._seen_before = 0, self._seen
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        if endpoints.is_ipv6(self._endpoint):
            socket.ipv6 = True
        if self._curve is not None:
            self._curve.apply(socket)
        self._monitor = socket.get_monitor_socket(_WATCHED)
        socket.connect(self._endpoint)
        self.socket = socket

    def close(self, linger: float) -> None:
        """Closes it; what was sent last may still get out for as long."""
        self._outbox.clear()
        self._look()
        if self._monitor is not None:
            # Before its socket, which would otherwise write to it still.
            if self.socket is not None:
                self.socket.disable_monitor()
            self._monitor.close(linger=0)
            self._monitor = None
        if self.socket is not None:
            self.socket.close(linger=int(linger * 1000))
            self.socket = None

    def trouble(self) -> str:
        """Why nobody answers at the endpoint, as far as libzmq has seen, with the remedy."""
        self._look()
        seen = self._seen or self._seen_before
        if seen == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return f"the master at {self._endpoint} does not admit this key: put the public key on the list of that endpoint"
        if seen in (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL):
            if self._curve is None:
                return f"whoever listens at {self._endpoint} refuses connections without keys: give curve"
            return (
                f"whoever listens at {self._endpoint} refuses these keys: is server the public key of that master, and does it have "
                "keys at all?"
            )
        if seen == 0:
            return f"nobody listens at {self._endpoint}"
        return f"whoever listens at {self._endpoint} does not answer"

    def _look(self) -> None:
        while self._monitor is not None and self._monitor.poll(0):
            event = parse_monitor_message(self._monitor.recv_multipart(zmq.DONTWAIT))["event"]
            # libzmq connects again and again; what a handshake came to counts until the next one comes to something.
            if event != zmq.EVENT_CONNECTED or self._seen == 0:
                self._seen = event

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
