"""Encryption and authentication on tcp: CurveZMQ."""

import os
import re
import stat
from pathlib import Path
from typing import Any, Union

import zmq

_KEY = re.compile(rb"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


class Curve:
    """The keys of one side: the master's public key, and its own pair. Each is 40 characters of Z85.

    Its `repr` holds no secret.
    """

    def __init__(self, server: Union[str, bytes], public: Union[str, bytes], secret: Union[str, bytes]) -> None:
        self.server = _key("the master's public key", server)
        self.public = _key("the public key", public)
        self._secret = _key("the secret key", secret)
        if not zmq.has("curve"):
            raise RuntimeError("this libzmq has no CURVE: install a pyzmq that was built with libsodium")
        if zmq.curve_public(self._secret) != self.public:
            raise ValueError("the public and the secret key are no pair")

    @classmethod
    def read(cls, server: "os.PathLike[str] | str", secret: "os.PathLike[str] | str") -> "Curve":
        """Reads the keys from files as `powerhose keygen` writes them: the master's public key, and this side's secret one.

        Raises `OSError`, and `ValueError` for a file that holds no key or a secret that others may read.
        """
        path = Path(secret)
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ValueError(f"others may use {str(path)!r}: chmod 600 it")
        own = _key(str(path), _first_key(path))
        return cls(_first_key(Path(server)), zmq.curve_public(own), own)

    def apply(self, socket: "zmq.Socket[Any]") -> None:
        """Makes a socket that is about to connect use the keys."""
        socket.curve_serverkey = self.server
        socket.curve_publickey = self.public
        socket.curve_secretkey = self._secret

    def __repr__(self) -> str:
        return f"Curve(server={self.server!r}, public={self.public!r})"


def _first_key(path: Path) -> bytes:
    # Comment lines begin with two slashes or a hash and a space: a key may begin with either sign.
    lines = (line.strip() for line in path.read_bytes().splitlines())
    return next((line for line in lines if _KEY.fullmatch(line)), b"")


def _key(what: str, key: Union[str, bytes]) -> bytes:
    text = key.encode() if isinstance(key, str) else key
    if _KEY.fullmatch(text) is None:
        raise ValueError(f"{what} holds no key of 40 characters of Z85")
    return text
