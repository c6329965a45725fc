"""The command `powerhose-worker`."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, Optional

from ..curve import Curve
from ..version import VERSION
from ..wire.limits import RECONNECT_LIMIT
from .execute import Handler
from .processes import SlotFailed
from .worker import Worker

_EPILOG = """\
examples:
  powerhose-worker shop.images.thumbnail --connect ipc:///run/powerhose/backend --service thumbnail
  powerhose-worker squares.square --connect tcp://127.0.0.1:5555 --slots 4 --processes

The callable gets a job and returns bytes or text:

  def square(job):
      return str(int(job.body) ** 2)

The module is looked for in the current directory and wherever Python looks. SIGTERM and SIGINT drain: what has started is
finished, the rest handed back.

exit codes:
  0   drained, or has done as many jobs or lived as long as it was set to
  64  the command line is wrong
  69  no master within the limit
  70  the processes of the slots do not come up
  71  the system refused something
  75  told to stop at once
  76  the master refuses this worker
  78  the master refuses its registration, or a setting or the callable is wrong
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _fail(64, f"{message}; see --help")


def main(arguments: Optional[Sequence[str]] = None) -> NoReturn:
    """Runs a worker as the command line says."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.connect:
        parser.error("say where the master listens: --connect ENDPOINT, or POWERHOSE_CONNECT in the environment")
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        worker = Worker(
            _load(options.callable),
            options.connect,
            services=options.service,
            slots=options.slots,
            mode="process" if options.processes else "thread",
            bind=options.bind,
            curve=_keys(options),
            insecure=options.insecure,
            reconnect_limit=options.reconnect_limit,
            max_jobs=options.max_jobs,
            max_age=options.max_age,
            overrun=options.overrun,
            time_limit=options.time_limit,
        )
    except (ValueError, OSError, RuntimeError) as error:
        _fail(78, str(error))
    try:
        worker.main()
    except SlotFailed as error:
        _fail(70, str(error))
    except ValueError as error:
        _fail(78, str(error))
    except OSError as error:
        _fail(71, str(error))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="powerhose-worker",
        description="Does jobs of a Powerhose master with a Python callable.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("callable", metavar="MODULE.CALLABLE", help="what to do with a job, such as shop.images.thumbnail")
    add(
        "--connect",
        metavar="ENDPOINT",
        default=os.environ.get("POWERHOSE_CONNECT"),
        help="where the master listens for workers: ipc:///path or tcp://host:port [$POWERHOSE_CONNECT]",
    )
    add(
        "--service",
        metavar="NAME",
        action="append",
        default=[],
        help="a service to offer; repeat for more [the default service]",
    )
    add("--slots", metavar="N", type=int, default=1, help="jobs that run at the same time [1]")
    add("--processes", action="store_true", help="give each slot a process of its own instead of a thread")
    add("--bind", metavar="ENDPOINT", help="take jobs at this ipc:// path inside the directory of the master's socket")
    add("--server-key", metavar="FILE", help="the master's public key, for tcp with CURVE")
    add("--key", metavar="FILE", help="this worker's secret key, for tcp with CURVE")
    add("--insecure", action="store_true", help="allow tcp beyond this machine without keys")
    add("--reconnect-limit", metavar="SECONDS", type=float, default=RECONNECT_LIMIT, help="how long to look for a master [60]")
    add("--max-jobs", metavar="N", type=int, help="leave after so many jobs")
    add("--max-age", metavar="SECONDS", type=float, help="leave at this age, plus up to a tenth at random")
    add("--overrun", metavar="SECONDS", type=float, help="log handlers that run longer")
    add(
        "--time-limit",
        metavar="SECONDS",
        type=float,
        help="end handlers that run longer, with their process; needs --processes",
    )
    add("--verbose", action="store_true", help="log more")
    add("--version", action="version", version=f"powerhose-worker {VERSION}")
    return parser


def _keys(options: argparse.Namespace) -> Optional[Curve]:
    if options.server_key is None and options.key is None:
        return None
    if options.server_key is None or options.key is None:
        raise ValueError("--server-key and --key belong together")
    return Curve.read(options.server_key, options.key)


def _load(name: str) -> Handler:
    module_name, _, attribute = name.replace(":", ".").rpartition(".")
    if not module_name:
        raise ValueError(f"{name!r} names no callable: write MODULE.CALLABLE, such as shop.images.thumbnail")
    # As `python -m` does it.
    sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(f"{name}: {error}") from None
    handler = getattr(module, attribute, None)
    if not callable(handler):
        raise ValueError(f"{name}: {module_name} has no callable {attribute!r}")
    return handler  # type: ignore[no-any-return]


def _fail(code: int, message: str) -> NoReturn:
    print(f"powerhose-worker: {message}", file=sys.stderr)
    sys.exit(code)
