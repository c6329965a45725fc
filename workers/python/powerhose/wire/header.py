"""The first 28 bytes of every message, and the frames that they announce."""

import struct
from collections.abc import Sequence
from typing import Callable, NamedTuple, Optional

from .error import WireError
from .limits import INLINE_BODY, MAX_METADATA

VERSION = 1
HEADER = struct.Struct(">BBBBIQQHH")

INLINE, SEPARATE, METADATA = 0x01, 0x02, 0x04
"""The flags: the body is behind the header; it is frame 2; the last frame is metadata."""

MAX_U32 = 0xFFFFFFFF


class Header(NamedTuple):
    """The fields between version and body."""

    command: int
    flags: int = 0
    attempt: int = 0
    time: int = 0
    session: int = 0
    job: int = 0
    service: int = 0
    code: int = 0


class Parts(NamedTuple):
    """A message taken apart."""

    header: Header
    body: bytes
    metadata: Optional[bytes]
    prefix: bytes = b""
    """What the command itself puts between header and body."""


def split(frames: Sequence[bytes], flags_of: "dict[int, int]", prefix_of: "Optional[Callable[[Header], int]]" = None) -> Parts:
    """Takes a message apart. `flags_of` holds the commands of the direction with the flags that each allows, `prefix_of` says how
    many bytes the command puts between header and body.

    Raises `WireError`.
    """
    first = frames[0] if frames else b""
    if first and first[0] != VERSION:
        raise WireError("version", f"{first[0]} is not {VERSION}")
    if len(first) < HEADER.size:
        raise WireError("short-header", f"{len(first)} bytes are fewer than {HEADER.size}")
    header = Header(*HEADER.unpack_from(first)[1:])
    allowed = flags_of.get(header.command)
    if allowed is None:
        raise WireError("unknown-command", f"0x{header.command:02x}")
    flags = header.flags
    if flags & ~allowed or (flags & INLINE and flags & SEPARATE):
        raise WireError("flags", f"0x{flags:02x} of command 0x{header.command:02x}")
    expected = 1 + bool(flags & SEPARATE) + bool(flags & METADATA)
    if len(frames) != expected:
        raise WireError("frames", f"{len(frames)} instead of {expected}")
    end = HEADER.size + (0 if prefix_of is None else prefix_of(header))
    if len(first) < end:
        raise WireError("field", "the frame is shorter than what its header announces")
    if flags & INLINE:
        body = first[end:]
    elif len(first) > end:
        raise WireError("field", "bytes after the header that no flag announces")
    else:
        body = frames[1] if flags & SEPARATE else b""
    metadata = frames[-1] if flags & METADATA else None
    if metadata is not None and len(metadata) > MAX_METADATA:
        raise WireError("too-large", f"{len(metadata)} bytes of metadata")
    return Parts(header, body, metadata, first[HEADER.size : end])


def join(
    command: int,
    body: bytes = b"",
    metadata: Optional[bytes] = None,
    prefix: bytes = b"",
    *,
    attempt: int = 0,
    time: int = 0,
    session: int = 0,
    job: int = 0,
    service: int = 0,
    code: int = 0,
) -> list[bytes]:
    """The frames of a message."""
    size = len(body)
    flags = 0 if not size else INLINE if size <= INLINE_BODY else SEPARATE
    if metadata is not None:
        flags |= METADATA
    first = HEADER.pack(VERSION, command, flags, attempt, min(time, MAX_U32), session, job, service, code) + prefix
    frames = [first, body] if flags & SEPARATE else [first + body]
    if metadata is not None:
        frames.append(metadata)
    return frames
