import os
import socket
import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import NoReturn, Optional, Union

from .. import endpoint as endpoints
from ..curve import Curve
from ..version import IMPLEMENTATION
from ..wake import Wake
from ..wire.control import Offer, is_service_name
from ..wire.limits import MAX_SERVICES, MAX_SLOTS, RECONNECT_LIMIT
from .execute import Handler
from .exit import Exit
from .loop import Loop
from .own_socket import OwnSocket
from .processes import Processes
from .session import Config
from .signals import Signals
from .threads import Threads


class Worker:
    """Takes jobs from a master, runs `target` on each, sends back what it returns.

    `target` gets a `Job` and returns bytes or text. It raises `JobError` to fail the job; any other exception fails it, too, is
    logged, and reaches the caller as `Panicked`. The worker lives on.

    - `endpoint`: where the master listens for workers, such as `ipc:///run/powerhose/backend`; by default `$POWERHOSE_CONNECT`, which
      a `JobRunner` and `powerhose pool` set.
    - `services`: the names that jobs are offered under; the default service, `""`, without any.
    - `slots`: how many jobs run at the same time, 1 to 1,024.
    - `mode`: `"thread"` gives each slot a thread; right for handlers that wait or call native code. `"process"` gives each a
      process, spawned anew: for pure Python that computes, and for handlers that may crash; `target` must be importable, and the
      program guarded by `if __name__ == "__main__":`.
    - `bind`: `ipc://` and a path inside the directory of the master's socket, to take jobs at a socket of the worker's own.
    - `curve`: keys for tcp. `insecure` allows tcp beyond this machine without any.
    - `reconnect_limit`: seconds to look for a master, from the start or from when it was lost; 60 by default.
    - `max_jobs`, `max_age` (seconds, plus up to a tenth at random): leaves in order then; for handlers that leak.
    - `overrun`: seconds after which a handler that still runs is logged, once.
    - `time_limit`: seconds after which a handler is ended, with its process; only with `mode="process"`. Its job fails.
    - `handle_signals`: SIGTERM and SIGINT drain, a second SIGINT stops at once; in the main thread only.

    Raises `ValueError` for a setting that cannot be.
    """

    def __init__(
        self,
        target: Handler,
        endpoint: Optional[str] = None,
        *,
        services: Sequence[str] = ("",),
        slots: int = 1,
        mode: str = "thread",
        bind: Optional[str] = None,
        curve: Optional[Curve] = None,
        insecure: bool = False,
        reconnect_limit: float = RECONNECT_LIMIT,
        max_jobs: Optional[int] = None,
        max_age: Optional[float] = None,
        overrun: Optional[float] = None,
        time_limit: Optional[float] = None,
        handle_signals: bool = True,
    ) -> None:
        if not callable(target):
            raise ValueError(f"target: {target!r} cannot be called")
        if mode not in ("thread", "process"):
            raise ValueError(f'mode: "thread" or "process", not {mode!r}')
        if time_limit is not None and mode != "process":
            raise ValueError('time_limit: threads cannot be ended; only possible with mode="process"')
        if time_limit is not None and overrun is not None:
            raise ValueError("time_limit: the handler is ended then, which leaves nothing to log for overrun")
        self._target = target
        self._endpoint = endpoints.check(endpoints.backend(endpoint), encrypted=curve is not None, insecure=insecure)
        self._bind = None if bind is None else endpoints.check_to_bind(bind)
        self._curve = curve
        self._process_slots = mode == "process"
        self._time_limit = time_limit
        self._handle_signals = handle_signals
        if max_jobs is not None and max_jobs < 1:
            raise ValueError("max_jobs: at least 1 is possible")
        for name, value in (
            ("reconnect_limit", reconnect_limit),
            ("max_age", max_age),
            ("overrun", overrun),
            ("time_limit", time_limit),
        ):
            if value is not None and value < 0:
                raise ValueError(f"{name}: {value} lies in the past")
        self._config = Config(
            Offer(
                services=_check_services(services),
                slots=_check_slots(slots),
                pid=os.getpid(),
                host=socket.gethostname()[:64],
                implementation=IMPLEMENTATION,
                socket=self._bind,
            ),
            reconnect_limit=reconnect_limit,
            max_jobs=max_jobs,
            max_age=max_age,
            max_age_delta=(max_age or 0.0) / 10,
            overrun=overrun if time_limit is None else time_limit,
        )
        self._wishes: deque[str] = deque()
        self._wake = Wake()

    def run(self) -> Exit:
        """Works until there is a reason to leave, and returns it; call it once.

        The sockets have a thread of their own, so that pings go on whatever a handler does. Raises `OSError` if `bind` is in use and
        `RuntimeError` if the processes of slots do not come up.
        """
        config = self._config._replace(offer=self._config.offer._replace(pid=os.getpid()))
        services, count = config.offer.services, config.offer.slots
        slots = self._start_slots(services, count)
        signals, orderly = None, False
        try:
            own = None if self._bind is None else OwnSocket(self._bind)
            if self._handle_signals and Signals.possible():
                signals = Signals()
            kill = self._time_limit is not None
            loop = Loop(self._endpoint, self._curve, own, config, slots, self._wake, self._wishes, signals, kill)
            threading.Thread(target=loop.run, name="powerhose-sockets", daemon=True).start()
            loop.done.wait()
            if loop.failure is not None:
                raise loop.failure
            assert loop.exit is not None
            orderly = loop.exit.code in (0, 76, 78)
            return loop.exit
        finally:
            slots.close(wait=orderly)
            if signals is not None:
                signals.close()

    def _start_slots(self, services: tuple[str, ...], count: int) -> Union[Threads, Processes]:
        if self._process_slots:
            return Processes(self._target, services, count)
        return Threads(self._target, services, count, self._wake)

    def main(self) -> NoReturn:
        """Runs the worker as the program: ends the process with the exit code of `run`, also if a handler never ends."""
        exit = self.run()
        if exit.code:
            print(f"powerhose worker: {exit}", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        if exit.code in (69, 75):
            # A handler may still run, and would keep the process.
            os._exit(exit.code)
        sys.exit(exit.code)

    def drain(self) -> None:
        """Finish what has started, hand back the rest, leave. From any thread, also before `run`."""
        self._wishes.append("drain")
        self._wake.wake()

    def stop(self) -> None:
        """Leave at once, without waiting for handlers. From any thread, also before `run`."""
        self._wishes.append("stop")
        self._wake.wake()


def _check_services(services: Sequence[str]) -> tuple[str, ...]:
    names = tuple(services) or ("",)
    if isinstance(services, str):
        raise ValueError(f"services: a list of names, such as [{services!r}]")
    if len(names) > MAX_SERVICES:
        raise ValueError(f"services: at most {MAX_SERVICES} are possible")
    for name in names:
        if not is_service_name(name):
            raise ValueError(f"services: {name!r} is more than letters, digits, dots, dashes and underscores, or longer than 64")
        if names.count(name) > 1:
            raise ValueError(f"services: {name!r} is named twice")
    return names


def _check_slots(slots: int) -> int:
    if not 1 <= slots <= MAX_SLOTS:
        raise ValueError(f"slots: 1 to {MAX_SLOTS} are possible, not {slots}")
    return slots
