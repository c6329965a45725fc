"""Keys: read from files, refused where they cannot be right, used on the wire."""

from pathlib import Path
from typing import Any, Optional

import handlers
import pytest
import zmq
from conftest import Running

from powerhose import Curve, Worker
from powerhose.wire import worker as wire


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


def test_a_worker_registers_with_the_right_key_only() -> None:
    server, server_secret = zmq.curve_keypair()
    context: zmq.Context[Any] = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.linger = 0
    socket.curve_server = True
    socket.curve_secretkey = server_secret
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    endpoint = f"tcp://127.0.0.1:{port}"

    def worker(curve: Optional[Curve]) -> Running:
        return Running(Worker(handlers.square, endpoint, curve=curve, handle_signals=False))

    strangers = [worker(None), worker(Curve(zmq.curve_keypair()[0], *zmq.curve_keypair()))]
    assert not socket.poll(500)
    friend = worker(Curve(server, *zmq.curve_keypair()))
    assert socket.poll(60_000)
    _, *frames = socket.recv_multipart()
    assert isinstance(wire.decode_from_worker(frames), wire.Register)
    for each in [*strangers, friend]:
        each.worker.stop()
        each.exit()
    socket.close()
    context.term()
