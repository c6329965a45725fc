"""What the tests share."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import handlers
import pytest
from master import Master, listening

from powerhose import Exit, Worker


@pytest.fixture
def place() -> "Iterator[Path]":
    """A directory with a name short enough for sockets."""
    directory = tempfile.mkdtemp(prefix="ph-")
    yield Path(directory)
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def binary() -> str:
    """The `powerhose` program."""
    found = shutil.which("powerhose")
    if found is None:
        pytest.fail(
            "the tests need the powerhose program: `cargo build -p powerhose`, and name target/debug/powerhose in POWERHOSE_BINARY"
        )
    return found


@pytest.fixture
def master(place: Path) -> "Iterator[Master]":
    with listening(place / "backend") as master:
        yield master


class Running:
    """A worker that runs in a thread of the test."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._exit: list[Exit] = []
        self.thread = threading.Thread(target=lambda: self._exit.append(worker.run()), daemon=True)
        self.thread.start()

    def exit(self) -> Exit:
        self.thread.join(60)
        assert self._exit, "the worker does not end"
        return self._exit[0]


@pytest.fixture
def run(master: Master) -> "Iterator[Callable[..., Running]]":
    started = []

    def start(**settings: Any) -> Running:
        settings = {"services": handlers.SERVICES, "handle_signals": False, **settings}
        started.append(Running(Worker(handlers.everything, master.endpoint, **settings)))
        return started[-1]

    yield start
    for running in started:
        running.worker.stop()
        running.thread.join(60)
        assert not running.thread.is_alive()
