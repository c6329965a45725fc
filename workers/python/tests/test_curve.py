"""Keys: read from files, refused where they cannot be right, and admitted or refused by a real master."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import handlers
import pytest
import zmq
from conftest import Running
from master import eventually
from processes import started

from powerhose import Cause, Client, Curve, Worker, aio, errors

HERE = Path(__file__).parent
NAMES = ["master", "worker", "client", "stranger"]
REFUSED_WITHIN = 2.0
"""Seconds that the refused try in these tests; within them they have an error that says why."""
PATIENCE = 30.0
"""What a slow machine may add to that."""


def test_keys_are_read_from_files(place: Path) -> None:
    server, _ = zmq.curve_keypair()
    public, secret = zmq.curve_keypair()
    (place / "server").write_bytes(server + b"\n")
    (place / "secret").write_bytes(secret + b"\n")
    (place / "secret").chmod(0o600)
    curve = Curve.read(place / "server", place / "secret")
    assert (curve.server, curve.public) == (server, public)
    assert secret.decode() not in repr(curve)
    (place / "secret").chmod(0o640)
    with pytest.raises(ValueError, match="chmod 600"):
        Curve.read(place / "server", place / "secret")


def test_keys_that_cannot_be_are_refused() -> None:
    server, _ = zmq.curve_keypair()
    public, secret = zmq.curve_keypair()
    with pytest.raises(ValueError, match="no pair"):
        Curve(server, server, secret)
    with pytest.raises(ValueError, match="the secret key"):
        Curve(server, public, b"short")


def report(binary: str, operator: str) -> Any:
    """What a master says of itself, if it answers."""
    asked = subprocess.run([binary, "status", "--json", "--frontend", operator], capture_output=True)
    return json.loads(asked.stdout) if asked.returncode == 0 else None


class Site:
    """A master over tcp that admits the keys of `worker` and `client`, made by `powerhose keygen`."""

    def __init__(self, binary: str, place: Path) -> None:
        self.place = place
        self._binary = binary
        for name in NAMES:
            made = subprocess.run([binary, "keygen", str(place / name)], capture_output=True, check=True)
            (place / f"{name}.allow").write_bytes(made.stdout)
        tcp, self._operator = "tcp://127.0.0.1:*", f"ipc://{place}/operator"
        listen = ["--frontend", tcp, "--backend", tcp, "--operator", self._operator, "--curve-secret", str(place / "master.secret")]
        allow = ["--allow-workers", str(place / "worker.allow"), "--allow-clients", str(place / "client.allow")]
        self.process = subprocess.Popen([binary, "master", *listen, *allow], stderr=subprocess.DEVNULL)
        said = eventually("the master is ready", lambda: report(binary, self._operator))
        self.frontend, self.backend = (said[name][0] for name in ("frontends", "backends"))

    def workers(self) -> "list[Any]":
        """Those who are registered."""
        workers: list[Any] = report(self._binary, self._operator)["workers"]
        return workers

    def keys(self, own: str, server: str = "master") -> Curve:
        return Curve.read(self.place / f"{server}.public", self.place / f"{own}.secret")

    def worker(self, curve: Optional[Curve], reconnect_limit: float = 60.0) -> Running:
        worker = Worker(handlers.square, self.backend, curve=curve, reconnect_limit=reconnect_limit, handle_signals=False)
        return Running(worker)


@pytest.fixture(scope="module")
def site(binary: str, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Site]":
    site = Site(binary, tmp_path_factory.mktemp("site"))
    with started(site.process):
        worker = site.worker(site.keys("worker"))
        yield site
        worker.worker.drain()
        assert worker.exit().cause is Cause.DRAINED


def serves(site: Site) -> None:
    with Client(site.frontend, curve=site.keys("client")) as client:
        assert client.execute(b"12", timeout=60) == b"144"


NO_CLIENTS = [
    ("nothing", "master", "without keys"),
    ("client", "stranger", "the public key of that master"),
    ("worker", "master", "does not admit this key"),
    ("stranger", "master", "does not admit this key"),
]


@pytest.mark.parametrize(("own", "server", "why"), NO_CLIENTS)
def test_a_client_with_other_keys_is_refused_and_told_why(site: Site, own: str, server: str, why: str) -> None:
    serves(site)
    curve = None if own == "nothing" else site.keys(own, server)
    began = time.monotonic()
    with Client(site.frontend, curve=curve) as client, pytest.raises(errors.MasterLost, match=why) as refused:
        client.execute(b"12", timeout=REFUSED_WITHIN)
    assert time.monotonic() - began < REFUSED_WITHIN + PATIENCE
    assert refused.value.started == "no"
    assert site.frontend in str(refused.value)
    serves(site)


def test_the_same_holds_for_asyncio(site: Site) -> None:
    async def play() -> None:
        async with aio.Client(site.frontend, curve=site.keys("client")) as client:
            assert await client.execute(b"12", timeout=60) == b"144"
        async with aio.Client(site.frontend, curve=site.keys("worker")) as client:
            with pytest.raises(errors.MasterLost, match="does not admit this key"):
                await client.execute(b"12", timeout=REFUSED_WITHIN)

    asyncio.run(play())


@pytest.mark.parametrize(
    ("own", "server", "why"),
    [
        ("nothing", "master", "without keys"),
        ("worker", "stranger", "the public key of that master"),
        ("client", "master", "does not admit this key"),
        ("stranger", "master", "does not admit this key"),
    ],
)
def test_a_worker_with_other_keys_is_refused_and_told_why(site: Site, own: str, server: str, why: str) -> None:
    curve = None if own == "nothing" else site.keys(own, server)
    exit = site.worker(curve, reconnect_limit=REFUSED_WITHIN).exit()
    assert (exit.cause, exit.code) == (Cause.MASTER_LOST, 69)
    assert why in exit.message
    assert site.backend in exit.message
    assert len(site.workers()) == 1
    serves(site)


def test_the_command_takes_keys_from_files(site: Site) -> None:
    def start(own: str, *more: str) -> "subprocess.Popen[str]":
        keys = ["--server-key", str(site.place / "master.public"), "--key", str(site.place / f"{own}.secret")]
        command = [sys.executable, "-m", "powerhose", "handlers.square", "--connect", site.backend, *keys, *more]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
        return subprocess.Popen(command, cwd=HERE, env=environment, stderr=subprocess.PIPE, text=True)

    with started(friend := start("worker")):
        eventually("it is registered", lambda: len(site.workers()) == 2 or None)
        friend.terminate()
        assert friend.wait(60) == 0
    with started(stranger := start("stranger", "--reconnect-limit", str(REFUSED_WITHIN))):
        _, said = stranger.communicate(timeout=60)
        assert stranger.returncode == 69
        assert "does not admit this key" in said
    secret = (site.place / "stranger.secret").read_text().strip()
    assert secret not in said


def test_plaintext_is_refused_where_it_would_leave_the_machine() -> None:
    with pytest.raises(ValueError, match="curve"):
        Client("tcp://192.0.2.1:5556")
    with pytest.raises(ValueError, match="curve"):
        Worker(handlers.square, "tcp://192.0.2.1:5555")


def test_keys_for_a_master_without_any_are_refused_and_told_why(binary: str, place: Path) -> None:
    tcp, operator = "tcp://127.0.0.1:*", f"ipc://{place}/operator"
    process = subprocess.Popen(
        [binary, "master", "--frontend", tcp, "--backend", tcp, "--operator", operator], stderr=subprocess.DEVNULL
    )
    with started(process):
        [frontend] = eventually("the master is ready", lambda: report(binary, operator))["frontends"]
        curve = Curve(zmq.curve_keypair()[0], *zmq.curve_keypair())
        with Client(frontend, curve=curve) as client, pytest.raises(errors.MasterLost, match="does it have keys"):
            client.execute(b"12", timeout=REFUSED_WITHIN)
