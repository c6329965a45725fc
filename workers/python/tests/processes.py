"""Looks at processes, and ends those that a test started."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def runs(pid: int) -> bool:
    """Whether the process has not ended; a zombie has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@contextlib.contextmanager
def started(process: "subprocess.Popen[Any]") -> "Iterator[None]":
    """Ends the process when the test does, if it has not ended."""
    try:
        yield
    finally:
        process.kill()
        process.communicate()
