import contextlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional, Union

from ..client import Client
from ..client.loop import Loop
from ..errors import Forked, NoWorkers
from ..wire.codes import Started
from .pool import Pool, find_binary, split_command

MAX_WORKERS = 1024


class JobRunner(Client):
    """A `Client` with a master and workers of its own, which the `powerhose` program keeps alive as long as this process lives.

    - `cmd`: the workers' program and its arguments, as a list or as text that is split as a shell would; no shell is started. It
      gets the endpoint to connect to as `POWERHOSE_CONNECT` in its environment, and `{endpoint}` in its arguments is replaced by
      it. Others can read the arguments: pass secrets in `env`.
    - `workers`: how many processes of it to keep, 1 to 1,024; default 1.
    - `binary`: the `powerhose` program; by default `$POWERHOSE_BINARY`, or `powerhose` on the `PATH`.
    - `grace`: seconds that `close` may take before workers that are still at a job are killed; default 10.
    - `env`: variables that the workers get beside those of this process.
    - `max_pending`: as for `Client`.

    The master listens in a private directory, which only this user can enter. A worker that ends is started again, at first after
    0.1 s, after at most 10 s where it keeps ending at start; the logger `powerhose.runner` tells of it. If the master itself dies it
    is started again with its workers, and jobs that may be started twice are submitted again.

    `close` ends everything, and so does the end of the process, also by SIGKILL. A `JobRunner` does not survive a fork: where a
    server loads the application before it forks, make it after the fork, or give the children a `Client(runner.frontend)` each.

    Returns when the master listens and the workers have been started. Raises `PoolFailed` if that cannot be, `FileNotFoundError`
    without the `powerhose` program, `ValueError` for a setting that cannot be.
    """

    def __init__(
        self,
        cmd: Union[str, Sequence[str]],
        workers: int = 1,
        *,
        binary: Optional[Union[str, "os.PathLike[str]"]] = None,
        grace: float = 10.0,
        env: Optional[Mapping[str, str]] = None,
        max_pending: int = 100_000,
    ) -> None:
        command = split_command(cmd)
        if not 1 <= workers <= MAX_WORKERS:
            raise ValueError(f"workers: 1 to {MAX_WORKERS} are possible, not {workers}")
        if grace < 0:
            raise ValueError(f"grace: {grace} lies in the past")
        program = find_binary(binary)
        directory = _private_directory()
        try:
            self._pool = Pool(program, command, workers, directory, grace, env or {})
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        super().__init__(self._pool.frontend, max_pending=max_pending)
        # Not a bound method: that would keep this alive.
        self._end = weakref.finalize(self, _end, os.getpid(), self._loop, self._pool, directory)

    @property
    def frontend(self) -> str:
        """Where further clients can connect to, such as `powerhose.aio.Client`."""
        return self._pool.frontend

    def close(self) -> None:
        """Ends workers and master, within the grace and some seconds. Jobs without an outcome fail as `ShuttingDown`."""
        self._end()

    def _forked(self) -> Forked:
        return Forked(
            f"this JobRunner belongs to process {self._pid}, from which this one was forked: make a JobRunner after the fork, or a "
            f"Client({self.frontend!r})",
            Started.NO,
        )

    def _explain(self, error: NoWorkers) -> NoWorkers:
        end = self._pool.last_end
        if end is None:
            return error
        return NoWorkers(f"{error}; a worker process ended with: {end}; what it wrote is on standard error", Started.NO)


def _private_directory() -> Path:
    # Short, for the paths of sockets.
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(tempfile.mkdtemp(prefix="powerhose-", dir=runtime if runtime and os.path.isdir(runtime) else None))


def _end(pid: int, loop: Loop, pool: Pool, directory: Path) -> None:
    # A forked child has nothing to end.
    if os.getpid() != pid:
        return
    # Jobs are withdrawn first: their workers need not finish them.
    loop.end()
    with contextlib.suppress(OSError):
        pool.close()
    shutil.rmtree(directory, ignore_errors=True)
