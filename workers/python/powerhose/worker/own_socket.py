"""The worker's own socket, where the master brings jobs if the worker wants it so."""

import contextlib
from collections import deque
from typing import Any, Optional

import zmq

from ..claim import Claim
from ..connection import Frames
from ..wire import worker as wire
from ..wire.limits import LAST_WORDS


class OwnSocket:
    """A ROUTER that listens on an ipc path.

    A result goes back over the connection that its job came over. If that is gone, or was to an earlier life of the session, the
    result goes to the master over the worker's DEALER.
    """

    def __init__(self, path: str) -> None:
        self._claim = Claim(path)
        # A context of its own: its end waits until the last results are out.
        self._context: zmq.Context[Any] = zmq.Context()
        self.socket: zmq.Socket[Any] = self._context.socket(zmq.ROUTER)
        self.socket.linger = int(LAST_WORDS * 1000)
        self.socket.router_mandatory = True
        self.socket.bind(f"ipc://{path}")
        self._routes: dict[wire.Key, bytes] = {}
        self._old: set[bytes] = set()
        self._current: Optional[bytes] = None
        self._last: Optional[bytes] = None
        self._outbox: deque[tuple[bytes, Frames]] = deque()

    def reset(self) -> None:
        """Begins afresh: the master connects anew for each registration. What came for an earlier one it has given to others since,
        even if the session is the same."""
        self._routes.clear()
        self._outbox.clear()
        self._last = None
        if self._current is not None:
            self._old.add(self._current)
            self._current = None
        with contextlib.suppress(zmq.Again):
            while True:
                self._old.add(self.socket.recv_multipart(zmq.DONTWAIT)[0])

    @property
    def stuck(self) -> bool:
        """Whether messages wait for room."""
        return bool(self._outbox)

    def receive(self) -> Optional[tuple[bytes, Frames]]:
        """A message, if there is one, and the connection that it came over."""
        with contextlib.suppress(zmq.Again):
            while not self._outbox:
                route, *frames = self.socket.recv_multipart(zmq.DONTWAIT)
                if route not in self._old:
                    self._current = route
                    return route, frames
        return None

    def note(self, job: wire.Job, route: bytes) -> None:
        """Remembers where a job of the present session came from."""
        self._routes[job.key] = route

    def send(self, message: wire.FromWorker, frames: Frames) -> bool:
        """Sends a message if it belongs here and its connection lives."""
        route = None
        if isinstance(message, wire.Result):
            route = self._routes.pop(message.key, None)
        elif isinstance(message, wire.Disconnect):
            route = self._last
        if route is None:
            return False
        self._last = route
        self._outbox.append((route, frames))
        return not self.flush()

    def flush(self) -> list[Frames]:
        """Sends what there is room for; gives back the messages whose connection is gone."""
        undelivered = []
        while self._outbox:
            route, frames = self._outbox[0]
            try:
                self.socket.send_multipart([route, *frames], zmq.DONTWAIT)
            except zmq.Again:
                break
            except zmq.ZMQError as error:
                if error.errno != zmq.EHOSTUNREACH:
                    raise
                undelivered.append(frames)
            self._outbox.popleft()
        return undelivered

    def close(self) -> None:
        """Closes it once the last results are out, or a second later."""
        self.socket.close()
        self._context.term()
        self._claim.release()
