"""The right to listen at an ipc path.

libzmq removes whatever file it finds at the path before it binds, so a second one would silently steal the first one's peers.
Whoever binds holds the lock on `PATH.lock` until the socket is closed; the Rust side does the same.
"""

import contextlib
import fcntl
import os
import socket
import stat


class InUse(OSError):
    """Another process listens at the path, or this one already does."""


class Claim:
    """An ipc path that only this process may bind, until `release`. Release it after the socket is closed.

    Raises `OSError`, naming the path.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        directory = os.path.dirname(path)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        mode = os.stat(directory).st_mode
        # With the sticky bit, as on /tmp, others cannot rename or remove what is ours.
        if mode & 0o022 and not mode & stat.S_ISVTX:
            raise PermissionError(f"others may replace files in {directory!r}: chmod go-w it or choose a private directory")
        self._lock_path = f"{path}.lock"
        self._lock = self._take()
        if os.path.lexists(path):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                self._unlock()
                raise FileExistsError(f"{path!r} exists and is not a socket: move it away or choose another path")
            if _somebody_listens(path):
                self._unlock()
                raise InUse(f"{path!r} is in use: stop that one or choose another path")
            os.unlink(path)

    def _take(self) -> int:
        while True:
            lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                raise InUse(f"{self._path!r} is in use: stop that one or choose another path") from None
            # The one before removes the file when it releases: a lock on a removed file is worth nothing.
            with contextlib.suppress(FileNotFoundError):
                if os.stat(self._lock_path).st_ino == os.fstat(lock).st_ino:
                    os.ftruncate(lock, 0)
                    os.write(lock, f"{os.getpid()}\n".encode())
                    return lock
            os.close(lock)

    def release(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._unlock()

    def _unlock(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._lock_path)
        os.close(self._lock)


def _somebody_listens(path: str) -> bool:
    # A program that knows nothing of the lock may.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(path) == 0
