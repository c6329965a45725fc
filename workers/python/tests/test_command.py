"""The command, as a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from master import Master, eventually
from processes import runs

from powerhose.wire import ResultCode
from powerhose.wire import worker as wire

HERE = Path(__file__).parent
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> "Iterator[Start]":
    processes = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "powerhose", *arguments],
            cwd=HERE,
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def serve(start: Start, master: Master, *more: str) -> "subprocess.Popen[str]":
    services = [part for name in ("echo", "wait", "sleep", "pid") for part in ("--service", name)]
    process = start("handlers.everything", "--connect", master.endpoint, *services, *more)
    master.register()
    return process


@pytest.mark.parametrize("more", [(), ("--processes", "--slots", "2")])
def test_sigterm_drains(master: Master, start: Start, more: "tuple[str, ...]") -> None:
    process = serve(start, master, *more)
    assert master.do("echo", b"x") == (ResultCode.OK, b"x")
    # The first result says that the second job has begun.
    first, second, third = master.give("echo"), master.give("sleep", b"0.5"), master.give("sleep", b"0.5")
    assert master.result(first)[0] == ResultCode.OK
    process.send_signal(signal.SIGTERM)
    seen = [master.receive()]
    while not isinstance(seen[-1], wire.Disconnect):
        seen.append(master.receive())
    assert wire.Drain(master.session) in seen
    results = {each.key: each.code for each in seen if isinstance(each, wire.Result)}
    assert set(results) == {second, third}
    assert results[second] == ResultCode.OK
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


def test_a_second_interrupt_stops_at_once(master: Master, start: Start) -> None:
    process = serve(start, master, "--slots", "2")
    master.give("sleep", b"3600")
    # Jobs come in order: by its result the one before has begun.
    assert master.do("echo", b"x") == (ResultCode.OK, b"x")
    process.send_signal(signal.SIGINT)
    assert master.receive() == wire.Drain(master.session)
    process.send_signal(signal.SIGINT)
    assert master.receive() == wire.Disconnect(master.session, wire.DisconnectReason.SHUTDOWN)
    assert process.wait(60) == 75


def test_processes_of_slots_end_with_a_worker_that_was_killed(master: Master, start: Start) -> None:
    process = serve(start, master, "--processes")
    slot = int(master.do("pid")[1])
    master.give("sleep", b"3600")
    process.kill()
    process.wait(60)
    eventually("the slot's process ends", lambda: not runs(slot))


def test_without_a_master_the_code_is_69(place: Path, start: Start) -> None:
    process = start("handlers.square", "--connect", f"ipc://{place}/nobody", "--reconnect-limit", "0.2")
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (
        69,
        f"powerhose worker: no master within the limit: nobody listens at ipc://{place}/nobody\n",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["handlers.square"], 64, "POWERHOSE_CONNECT"),
        (["square", "--connect", "ipc:///tmp/x"], 78, "MODULE.CALLABLE"),
        (["no_such_module.square", "--connect", "ipc:///tmp/x"], 78, "no_such_module"),
        (["handlers.nothing", "--connect", "ipc:///tmp/x"], 78, "no callable 'nothing'"),
        (["handlers.square", "--connect", "tcp://10.0.0.1:5"], 78, "leaves this machine"),
        (["handlers.square", "--connect", "ipc:///tmp/x", "--slots", "0"], 78, "slots"),
        (["handlers.square", "--connect", "ipc:///tmp/x", "--key", "/nowhere"], 78, "belong together"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_it(start: Start, arguments: "list[str]", code: int, why: str) -> None:
    process = start(*arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert errors.count("\n") == 1
    assert why in errors


def test_help_teaches(start: Start) -> None:
    output: Any = start("--help").communicate(timeout=60)[0]
    for word in ("exit codes:", "examples:", "ipc:///run/powerhose/backend", "--processes"):
        assert word in output
