"""Where a master listens: `ipc://` paths and `tcp://` addresses."""

import ipaddress
import os
from typing import Optional

MAX_IPC_PATH = 107
_BACKEND = "POWERHOSE_CONNECT"


def backend(given: Optional[str]) -> str:
    """The endpoint given, or the one that whoever started this worker put into the environment; raises `ValueError` without any."""
    endpoint = given if given is not None else os.environ.get(_BACKEND)
    if not endpoint:
        raise ValueError(f"endpoint: say where a master listens for workers, here or in {_BACKEND}")
    return endpoint


def check(endpoint: str, *, encrypted: bool = False, insecure: bool = False) -> str:
    """The endpoint as libzmq wants it; raises `ValueError`, with the remedy, for one that cannot be connected to.

    tcp beyond this machine's loopback needs encryption, or `insecure`.
    """
    if endpoint.startswith("ipc://"):
        return f"ipc://{_path(endpoint)}"
    if not endpoint.startswith("tcp://"):
        raise ValueError(f"{endpoint!r} is no endpoint: write ipc:///path/of/socket or tcp://127.0.0.1:port")
    host, _, port = endpoint[len("tcp://") :].rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{endpoint!r} has no port: write tcp://127.0.0.1:port")
    if not (encrypted or insecure or _is_loopback(host)):
        raise ValueError(
            f"{endpoint!r} leaves this machine, and tcp without keys is neither encrypted nor authenticated: give curve keys, "
            "use 127.0.0.1 or [::1] through a tunnel, or say insecure"
        )
    return endpoint.replace("//localhost:", "//127.0.0.1:")


def check_to_bind(endpoint: str) -> str:
    """The path of an ipc endpoint to listen at; raises `ValueError` for anything else."""
    if not endpoint.startswith("ipc://"):
        raise ValueError(f"{endpoint!r} cannot be bound: only ipc:// and a path is possible")
    return _path(endpoint)


def is_ipv6(endpoint: str) -> bool:
    """Whether libzmq must be told to use IPv6."""
    return endpoint.startswith("tcp://[")


def _path(endpoint: str) -> str:
    path = endpoint[len("ipc://") :]
    if not path or path.startswith(("*", "@")) or path.endswith("/") or "\0" in path:
        raise ValueError(f"{endpoint!r} names no socket file: write ipc:// and an absolute path")
    path = os.path.abspath(path)
    size = len(os.fsencode(path))
    if size > MAX_IPC_PATH:
        raise ValueError(
            f"the ipc path {path!r} has {size} bytes, at most {MAX_IPC_PATH} are possible: choose a shorter one, such as one "
            "in $XDG_RUNTIME_DIR"
        )
    return path


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
