"""Ends the wait of a thread that polls sockets."""

import contextlib
import socket


class Wake:
    """A pair of sockets: `wake` from any thread or signal handler ends a poll of `fd`."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    @property
    def fd(self) -> int:
        """What to poll for input."""
        return self._reader.fileno()

    @property
    def writer(self) -> int:
        """What to write to."""
        return self._writer.fileno()

    def wake(self) -> None:
        """Ends the present wait, or the next one."""
        # Full, it wakes as well; closed, nobody waits any more.
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")

    def drain(self) -> bytes:
        """What was written since the last call."""
        try:
            return self._reader.recv(4096)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
