"""The samples do what they say."""

import os
import subprocess
import sys
from pathlib import Path

from frontend import fronting
from master import Master

from powerhose.wire import ResultCode

ROOT = Path(__file__).parents[1]


def start(sample: str, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, str(ROOT / "samples" / sample), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_square_squares(master: Master) -> None:
    process = start("square.py", master.endpoint)
    master.register()
    assert master.offer.services == ("square",)
    assert master.do("square", b"12") == (ResultCode.OK, b"144")
    assert master.do("square", b"eleven") == (ResultCode.FAILED, b"not a whole number")
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


def test_ask_asks_for_all_at_once(place: Path) -> None:
    with fronting(place / "front") as frontend:
        process = start("ask.py", frontend.endpoint, "3", "4")
        frontend.open()
        for job in [frontend.job(), frontend.job()]:
            assert job.service == "square"
            frontend.reply(job, body=str(int(job.body) ** 2).encode())
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, output) == (0, "3 9\n4 16\n"), errors


def test_own_workers_need_nothing_but_the_program(binary: str) -> None:
    process = start("own_workers.py", "3", "4", POWERHOSE_BINARY=binary)
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (0, "one: 144\n3 9\n4 16\n"), errors


def test_the_readmes_workers_of_ones_own(binary: str, place: Path) -> None:
    blocks = [part.partition("```")[0] for part in (ROOT / "README.md").read_text().split("```python\n")[1:]]
    [squares] = [block for block in blocks if "Worker(square" in block]
    [program] = [block for block in blocks if "JobRunner(" in block]
    (place / "squares.py").write_text(squares)
    (place / "program.py").write_text(program)
    # What pip makes of the package's entry point.
    command = place / "powerhose-worker"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m powerhose "$@"\n')
    command.chmod(0o700)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{place}:{Path(binary).parent}:{os.environ['PATH']}"}
    ran = subprocess.run([sys.executable, "program.py"], cwd=place, env=environment, capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stdout) == (0, "b'144'\n"), ran.stderr
