"""A master and workers of one's own, with the real `powerhose` program."""

import gc
import logging
import os
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from master import eventually
from processes import runs, started

from powerhose import JobRunner, PoolFailed, errors

HERE = Path(__file__).parent
SQUARE = HERE.parent / "samples" / "square.py"
PATHS = f"{HERE.parent}{os.pathsep}{HERE}"
SERVICES = [part for name in ("echo", "pid", "sleep", "crash") for part in ("--service", name)]
WORKER = [sys.executable, "-m", "powerhose", "handlers.everything", *SERVICES]
Start = Callable[..., JobRunner]


@pytest.fixture
def start(binary: str) -> "Iterator[Start]":
    runners = []

    def start(command: Any = WORKER, **settings: Any) -> JobRunner:
        runners.append(JobRunner(command, binary=binary, env={"PYTHONPATH": PATHS}, **settings))
        return runners[-1]

    yield start
    for runner in runners:
        runner.close()


def pids(runner: JobRunner, count: int) -> "list[int]":
    """Those of as many workers, as they say themselves."""
    seen: set[int] = set()

    def ask() -> "list[int]":
        futures = [runner.submit(b"", service="pid", timeout=60) for _ in range(8)]
        seen.update(int(future.result(60)) for future in futures)
        return sorted(seen) if len(seen) >= count else []

    return eventually(f"{count} workers have answered", lambda: ask() or None)


def test_jobs_are_done_by_workers_of_its_own(start: Start) -> None:
    runner = start(workers=3)
    assert runner.execute(b"hello", service="echo", timeout=60) == b"hello"
    assert len(pids(runner, 3)) == 3
    futures = [runner.submit(str(number).encode(), service="echo", timeout=60) for number in range(1000)]
    assert [int(future.result(60)) for future in futures] == list(range(1000))


def test_the_endpoint_reaches_the_workers_by_environment_and_by_placeholder(start: Start) -> None:
    words = shlex.join([sys.executable, str(SQUARE)])
    for command in [words, words + " {endpoint}", [sys.executable, str(SQUARE), "{endpoint}"]]:
        with start(command) as runner:
            assert runner.execute(b"12", service="square", timeout=60) == b"144"


def test_closed_it_leaves_nothing(start: Start) -> None:
    runner = start(workers=2)
    directory = Path(runner.frontend[len("ipc://") :]).parent
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    everything = [*pids(runner, 2), runner._pool.pid]
    due = runner.submit(b"3600", service="sleep", timeout=60)
    runner.close()
    assert isinstance(due.exception(60), errors.ShuttingDown)
    assert not [pid for pid in everything if runs(pid)]
    assert not directory.exists()
    with pytest.raises(errors.ShuttingDown):
        runner.execute(b"x", service="echo")
    runner.close()


def test_a_worker_in_a_handler_is_killed_when_the_grace_is_over(start: Start) -> None:
    runner = start([*WORKER, "--slots", "2"], grace=0.5)
    runner.submit(b"3600", service="sleep", timeout=60)
    # Jobs come in order: by the answer the one before has begun.
    worker = int(runner.execute(b"", service="pid", timeout=60))
    runner.close()
    assert not runs(worker)


def test_forgotten_it_ends(start: Start, binary: str) -> None:
    runner = JobRunner(WORKER, binary=binary, env={"PYTHONPATH": PATHS})
    everything = [*pids(runner, 1), runner._pool.pid]
    del runner
    gc.collect()
    assert not [pid for pid in everything if runs(pid)]


def test_a_killed_worker_is_replaced_and_its_job_done(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "powerhose.runner")
    runner = start()
    [worker] = pids(runner, 1)
    job = runner.submit(b"0.3", service="sleep", timeout=60)
    os.kill(worker, signal.SIGKILL)
    assert job.result(60) == b"slept"
    [replacement] = pids(runner, 1)
    assert replacement != worker
    line = eventually("it is told", lambda: next((text for text in caplog.messages if str(worker) in text), None))
    assert "killed by SIGKILL" in line
    assert "another is started" in line


def test_a_killed_pool_is_started_again(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    runner = start(workers=2)
    workers, pool = pids(runner, 2), runner._pool.pid
    os.kill(pool, signal.SIGKILL)
    eventually("its workers end with it", lambda: not [pid for pid in workers if runs(pid)])
    assert runner.execute(b"again", service="echo", timeout=60) == b"again"
    assert runner._pool.pid != pool
    assert any(f"the pool {pool} ended with signal 9" in text for text in caplog.messages)


def test_where_workers_keep_dying_the_error_says_how(start: Start) -> None:
    runner = start([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(errors.NoWorkers, match="'echo'.*exit code 3.*standard error"):
        runner.execute(b"x", service="echo", timeout=1)


@pytest.mark.parametrize(
    ("command", "settings", "kind", "why"),
    [
        ("no-such-program", {}, PoolFailed, "no-such-program"),
        ("true", {"binary": "/no/such/powerhose"}, FileNotFoundError, "POWERHOSE_BINARY"),
        ("true", {"binary": "false"}, PoolFailed, "exit code 1"),
        ("'unclosed", {}, ValueError, "cmd"),
        ([], {}, ValueError, "cmd"),
        ("true", {"workers": 0}, ValueError, "workers"),
        ("true", {"grace": -1}, ValueError, "grace"),
    ],
)
def test_what_is_wrong_is_named(
    binary: str, place: Path, monkeypatch: pytest.MonkeyPatch, command: Any, settings: Any, kind: Any, why: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    with pytest.raises(kind, match=why):
        JobRunner(command, **{"binary": binary, **settings})
    assert list(place.iterdir()) == []


def test_a_forked_process_is_told_and_ends_nothing(start: Start) -> None:
    runner = start()
    child = os.fork()
    if child == 0:
        try:
            runner.execute(b"x", service="echo", timeout=1)
        except errors.Forked as error:
            runner.close()
            os._exit(0 if "JobRunner after the fork" in str(error) and runner.frontend in str(error) else 2)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert runner.execute(b"still", service="echo", timeout=60) == b"still"


OWNER = """
import os, subprocess, sys, time
from powerhose import JobRunner
runner = JobRunner(sys.argv[2:], workers=2, binary=sys.argv[1], grace=1.0)
pids = set()
while len(pids) < 2:
    pids |= {int(each.result(60)) for each in [runner.submit(b"", service="pid", timeout=60) for _ in range(8)]}
for _ in pids:
    runner.submit(b"3600", service="sleep", timeout=3600)
child = os.fork() if FORKS else None
if child == 0:
    time.sleep(3600)
print(runner._pool.pid, *pids, flush=True)
print(runner.frontend, child or 0, flush=True)
if WAITS:
    time.sleep(3600)
"""


def own(binary: str, **how: bool) -> "tuple[subprocess.Popen[str], list[int], Path, int]":
    script = OWNER.replace("FORKS", str(how.get("forks", False))).replace("WAITS", str(how.get("waits", True)))
    process = subprocess.Popen(
        [sys.executable, "-c", script, binary, *WORKER], env={**os.environ, "PYTHONPATH": PATHS}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    everything = [int(word) for word in process.stdout.readline().split()]
    frontend, child = process.stdout.readline().split()
    return process, everything, Path(frontend[len("ipc://") :]).parent, int(child)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_process_that_was_killed(binary: str, number: signal.Signals) -> None:
    process, everything, directory, _ = own(binary)
    with started(process):
        assert len(everything) == 3
        assert all(runs(pid) for pid in everything)
        process.send_signal(number)
        assert process.wait(60) == -number
        eventually("all of them end", lambda: not [pid for pid in everything if runs(pid)])
        eventually("the directory is gone", lambda: not directory.exists())


def test_nothing_outlives_it_though_a_forked_child_does(binary: str) -> None:
    process, everything, directory, child = own(binary, forks=True)
    with started(process):
        try:
            process.kill()
            process.wait(60)
            eventually("all of them end", lambda: not [pid for pid in everything if runs(pid)])
            eventually("the directory is gone", lambda: not directory.exists())
            assert runs(child)
        finally:
            os.kill(child, signal.SIGKILL)


def test_nothing_outlives_a_program_that_does_not_close_it(binary: str) -> None:
    process, everything, directory, _ = own(binary, waits=False)
    with started(process):
        assert process.wait(60) == 0
        assert not [pid for pid in everything if runs(pid)]
        assert not directory.exists()
