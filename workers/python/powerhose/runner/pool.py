"""`powerhose pool` as a child process: a master and its workers, which the `powerhose` program keeps alive."""

import contextlib
import json
import logging
import math
import os
import random
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

from ..worker.session.reconnect import Reconnect

log = logging.getLogger("powerhose.runner")

START_LIMIT = 30.0
_BINARY = "POWERHOSE_BINARY"
# What is told of workers here need not stand in the pool's own log, too.
_LOG = "warn,powerhose::supervisor=error"
_KILL_AFTER = 10.0


class PoolFailed(RuntimeError):
    """The pool of a `JobRunner` does not come up; the text says why."""


def find_binary(given: Optional[Union[str, "os.PathLike[str]"]]) -> str:
    """The path of the `powerhose` program; raises `FileNotFoundError`, with the remedy."""
    name = os.fspath(given) if given is not None else os.environ.get(_BINARY) or "powerhose"
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(
            f"there is no program {name!r}: install it with `cargo install --path powerhose`, and put it on the PATH, name it in "
            f"{_BINARY}, or give binary"
        )
    return found


def split_command(command: Union[str, Sequence[str]]) -> list[str]:
    """Program and arguments; raises `ValueError` for what is neither."""
    try:
        words = shlex.split(command) if isinstance(command, str) else [os.fspath(word) for word in command]
    except ValueError as error:
        raise ValueError(f"cmd: {command!r} cannot be split into words: {error}") from None
    if not words or not words[0]:
        raise ValueError("cmd: name the program that is a worker")
    return words


class Pool:
    """The process, started again whenever it ends without having been told to.

    Raises `PoolFailed` if it does not come up.
    """

    def __init__(
        self,
        binary: str,
        command: Sequence[str],
        workers: int,
        directory: Path,
        grace: float,
        environment: Mapping[str, str],
    ) -> None:
        self.frontend = f"ipc://{directory}/frontend"
        self._grace = grace
        options = ["--workers", str(workers), "--directory", str(directory), "--grace", f"{int(grace * 1000)}ms"]
        parent = ["--parent", str(os.getpid()), "--json"]
        self._arguments = [binary, "pool", *options, *parent, "--", *command]
        self._environment = {"POWERHOSE_LOG": _LOG, **os.environ, **environment}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._settled = threading.Event()
        self._failure: Optional[str] = None
        self.last_end: Optional[str] = None
        """How a worker ended last that nobody had told to."""
        self._process = self._spawn()
        self._thread = threading.Thread(target=self._keep, name="powerhose-pool", daemon=True)
        self._thread.start()
        if not self._settled.wait(START_LIMIT):
            self._failure = f"the pool does not come up within {START_LIMIT:.0f} s"
        if self._failure is not None:
            self.close()
            raise PoolFailed(self._failure)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def _spawn(self) -> "subprocess.Popen[bytes]":
        # A session of its own: a Ctrl-C at the terminal is the service's, which ends its pool last.
        return subprocess.Popen(
            self._arguments,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def _keep(self) -> None:
        started = time.monotonic()
        backoff = Reconnect(math.inf, random.Random(), started)
        while True:
            self._listen()
            code = self._process.wait()
            now = time.monotonic()
            backoff.lost(now - started, now)
            if self._closed.is_set():
                return
            ending = f"signal {-code}" if code < 0 else f"exit code {code}"
            if not self._settled.is_set():
                # What it said itself says more.
                self._failure = self._failure or f"powerhose pool ended with {ending}: see what it wrote to standard error"
                self._settled.set()
                return
            while True:
                delay = backoff.delay()
                log.error("the pool %d ended with %s; another is started in %.1f s", self.pid, ending, delay)
                if self._closed.wait(delay):
                    return
                with self._lock:
                    if self._closed.is_set():
                        return
                    try:
                        self._process = self._spawn()
                        started = time.monotonic()
                        break
                    except OSError as error:
                        ending = f"a failure to start it: {error}"

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                # Whatever is no event is none of this version's business.
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    self._hear(json.loads(line))

    def _hear(self, event: Any) -> None:
        if event["event"] == "ready":
            self._settled.set()
        elif event["event"] == "worker-ended":
            self.last_end = str(event["cause"])
            after = event["restart_after_ms"] / 1000
            log.warning("worker %s ended: %s; another is started in %.1f s", event["pid"], self.last_end, after)
        elif event["event"] == "failed":
            self._failure = str(event["message"])

    def close(self) -> None:
        """Ends the pool in order, at the latest some seconds after its grace."""
        with self._lock:
            self._closed.set()
            process = self._process
        # Elsewhere in the program somebody may have waited for all children.
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(self._grace + _KILL_AFTER)
        except subprocess.TimeoutExpired:
            # Its workers go with it.
            process.kill()
            process.wait()
        if self._thread is not threading.current_thread():
            self._thread.join(_KILL_AFTER)
