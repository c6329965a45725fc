"""The samples do what they say."""

import os
import subprocess
import sys
from pathlib import Path

from frontend import fronting
from master import Master

from powerhose.wire import ResultCode

ROOT = Path(__file__).parents[1]


def start(sample: str, *arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "samples" / sample), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_square_squares(master: Master) -> None:
    process = start("square.py", master.endpoint)
    master.register()
    assert master.offer.services == ("square",)
    assert master.do("square", b"12") == (ResultCode.OK, b"144")
    assert master.do("square", b"eleven") == (ResultCode.FAILED, b"b'eleven' is not a number")
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
