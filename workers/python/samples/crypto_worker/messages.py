"""MessagePack with named members, as the package `crypto-jobs` has it.

Replies are `{"Ok": ...}` or `{"Err": reason}`.
"""

from collections.abc import Sequence
from typing import Any, Optional, cast

import msgpack

MAX_MESSAGE_BYTES = 64 * 1024


class NoRequest(Exception):
    """The body is not a request of the service. The text does not quote its content, which may be secret."""


class Refusal(Exception):
    """The request is well-formed and refused; the reason is a text that does not change, or a mapping."""

    def __init__(self, reason: Any) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(body: bytes) -> "tuple[dict[str, Any], int]":
    """The members of the message that `body` begins with, and how many bytes follow it; raises `NoRequest`."""
    if len(body) > MAX_MESSAGE_BYTES:
        raise NoRequest(f"the body has {len(body)} bytes, the limit is {MAX_MESSAGE_BYTES}")
    try:
        message, extra = msgpack.unpackb(body, object_pairs_hook=_members), b""
    except msgpack.ExtraData as error:
        message, extra = error.unpacked, error.extra
    except (ValueError, msgpack.UnpackException):
        raise _malformed() from None
    return members(message), len(extra)


def encode(message: Any) -> bytes:
    return cast(bytes, msgpack.packb(message))


def members(value: Any, required: Sequence[str] = (), optional: Sequence[str] = ()) -> "dict[str, Any]":
    """The members of a mapping. With names given those required are there, and no others than those optional."""
    if not isinstance(value, dict):
        raise _malformed()
    if required and not (value.keys() >= set(required) and value.keys() <= {*required, *optional}):
        raise _malformed()
    return value


def variant(value: Any, *names: str) -> "tuple[str, Any]":
    """The name of an enum's variant, which is one of these, and what it holds."""
    if isinstance(value, str) and value in names:
        return value, None
    if isinstance(value, dict) and len(value) == 1:
        [(name, held)] = value.items()
        if name in names:
            return name, held
    raise _malformed()


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise _malformed()
    return value


def optional_text(value: Any) -> Optional[str]:
    return None if value is None else text(value)


def natural(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _malformed()
    return value


def items(value: Any) -> "list[Any]":
    if not isinstance(value, list):
        raise _malformed()
    return value


def secret(value: Any) -> bytes:
    """Bytes, which may have been written as text."""
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, bytes):
        raise _malformed()
    return value


def _members(pairs: "list[tuple[Any, Any]]") -> "dict[Any, Any]":
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member occurs twice")
    return found


def _malformed() -> NoRequest:
    return NoRequest("the body is not a message of this service")
