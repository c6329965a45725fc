"""The messages between a client and its master, both ways."""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional, Union

from .codes import Command, DisconnectReason, OutcomeCode, RejectReason, Started, code
from .control import U32, U64, Members, decimal, decode_rejection, dump, encode_rejection, is_service_name
from .error import WireError
from .header import INLINE, METADATA, SEPARATE, Header, join, split
from .limits import MAX_LABEL
from .worker import Disconnect, Drain, Heartbeat, Rejected

AT_MOST_ONCE, ATTEMPT_TIMEOUT = 0x0001, 0x0002
_U32 = struct.Struct(">I")


class Open(NamedTuple):
    """Asks for a session, or to resume one."""

    session: int
    pid: int = 0
    host: str = ""
    implementation: str = ""
    received: int = 0


class Opened(NamedTuple):
    """The session and its terms."""

    session: int
    heartbeat_ms: int
    misses: int
    max_body: int
    grace_ms: int
    max_jobs: int
    max_bytes: int
    submitted: int = 0
    implementation: str = ""


class Submit(NamedTuple):
    """Have this done."""

    session: int
    job: int
    attempts: int
    budget_ms: int
    service: str
    body: bytes
    metadata: Optional[bytes] = None
    at_most_once: bool = False
    attempt_timeout_ms: Optional[int] = None


class Reply(NamedTuple):
    """How a job ended."""

    session: int
    job: int
    outcome: OutcomeCode
    started: Started
    attempts: int
    detail: int
    body: bytes


class Withdraw(NamedTuple):
    """Nobody waits for the outcome any more."""

    session: int
    job: int


class Ping(NamedTuple):
    """HEARTBEAT of a client: still here, and so many REPLYs received."""

    session: int
    received: int


class Status(NamedTuple):
    """How are you?"""

    session: int = 0


class Report(NamedTuple):
    """How the master is, as JSON."""

    session: int
    body: bytes


FromClient = Union[Open, Submit, Withdraw, Ping, Status, Disconnect]
ToClient = Union[Opened, Rejected, Reply, Report, Heartbeat, Drain, Disconnect]

_BODY = INLINE | SEPARATE
_FROM_CLIENT: dict[int, int] = {
    Command.OPEN: _BODY,
    Command.SUBMIT: _BODY | METADATA,
    Command.WITHDRAW: 0,
    Command.STATUS: 0,
    Command.HEARTBEAT: 0,
    Command.DISCONNECT: 0,
}
_TO_CLIENT: dict[int, int] = {
    Command.OPENED: _BODY,
    Command.REJECTED: _BODY,
    Command.REPLY: _BODY,
    Command.REPORT: _BODY,
    Command.HEARTBEAT: 0,
    Command.DRAIN: 0,
    Command.DISCONNECT: 0,
}


def decode_to_client(frames: Sequence[bytes]) -> ToClient:
    """Reads what the master sent; raises `WireError`."""
    header, body, _, _ = split(frames, _TO_CLIENT)
    command, session = header.command, header.session
    if command == Command.REPLY:
        outcome, started = code(OutcomeCode, header.code), code(Started, header.service)
        return Reply(session, header.job, outcome, started, header.attempt, header.time, body)
    if command == Command.OPENED:
        if session == 0:
            raise WireError("field", "OPENED with session 0")
        return _opened(session, Members.parse(body))
    if command == Command.REJECTED:
        return Rejected(session, code(RejectReason, header.code), decode_rejection(body))
    if command == Command.REPORT:
        return Report(session, body)
    if command == Command.HEARTBEAT:
        return Heartbeat(session)
    if command == Command.DRAIN:
        return Drain(session)
    return Disconnect(session, code(DisconnectReason, header.code))


def decode_from_client(frames: Sequence[bytes]) -> FromClient:
    """Reads what a client sent; raises `WireError`."""
    header, body, metadata, prefix = split(frames, _FROM_CLIENT, _prefix_length)
    command, session = header.command, header.session
    if command == Command.SUBMIT:
        return _submit(header, body, metadata, prefix)
    if command == Command.OPEN:
        members = Members.parse(body)
        return Open(
            session,
            pid=members.integer("pid", U32, 0),
            host=members.text("host", "", MAX_LABEL),
            implementation=members.text("implementation", "", MAX_LABEL),
            received=decimal("received", members.text("received", "0")),
        )
    if command == Command.WITHDRAW:
        return Withdraw(session, header.job)
    if command == Command.HEARTBEAT:
        return Ping(session, header.job)
    if command == Command.STATUS:
        return Status(session)
    return Disconnect(session, code(DisconnectReason, header.code))


def _prefix_length(header: Header) -> int:
    if header.command != Command.SUBMIT:
        return 0
    return header.service + (_U32.size if header.code & ATTEMPT_TIMEOUT else 0)


def _submit(header: Header, body: bytes, metadata: Optional[bytes], prefix: bytes) -> Submit:
    if header.code & ~(AT_MOST_ONCE | ATTEMPT_TIMEOUT):
        raise WireError("field", f"options 0x{header.code:04x}")
    if header.attempt == 0 or header.job == 0:
        raise WireError("field", "jobs and attempts count from 1")
    attempt_timeout = None
    if header.code & ATTEMPT_TIMEOUT:
        (attempt_timeout,) = _U32.unpack_from(prefix)
        prefix = prefix[_U32.size :]
    service = prefix.decode("latin-1")
    if not is_service_name(service):
        raise WireError("field", f"{service!r} is no name of a service")
    return Submit(
        header.session,
        header.job,
        header.attempt,
        header.time,
        service,
        body,
        metadata,
        bool(header.code & AT_MOST_ONCE),
        attempt_timeout,
    )


def _opened(session: int, members: Members) -> Opened:
    return Opened(
        session,
        heartbeat_ms=members.integer("heartbeat_ms", U32, least=1),
        misses=members.integer("misses", U32, least=1),
        max_body=members.integer("max_body", U64),
        grace_ms=members.integer("grace_ms", U32),
        max_jobs=members.integer("max_jobs", U64, least=1),
        max_bytes=members.integer("max_bytes", U64),
        submitted=decimal("submitted", members.text("submitted", "0")),
        implementation=members.text("implementation", ""),
    )


def encode(message: Union[FromClient, Opened, Reply, Report, Rejected, Heartbeat, Drain]) -> list[bytes]:
    """The frames of a message."""
    session = message.session
    if isinstance(message, Submit):
        options = AT_MOST_ONCE if message.at_most_once else 0
        name = message.service.encode()
        prefix = name
        if message.attempt_timeout_ms is not None:
            options |= ATTEMPT_TIMEOUT
            prefix = _U32.pack(min(message.attempt_timeout_ms, U32)) + name
        return join(
            Command.SUBMIT,
            message.body,
            message.metadata,
            prefix,
            attempt=message.attempts,
            time=message.budget_ms,
            session=session,
            job=message.job,
            service=len(name),
            code=options,
        )
    if isinstance(message, Ping):
        return join(Command.HEARTBEAT, session=session, job=message.received)
    if isinstance(message, Withdraw):
        return join(Command.WITHDRAW, session=session, job=message.job)
    if isinstance(message, Open):
        return join(Command.OPEN, dump(_numbers_as_text(message)), session=session)
    if isinstance(message, Status):
        return join(Command.STATUS, session=session)
    if isinstance(message, Disconnect):
        return join(Command.DISCONNECT, session=session, code=message.reason)
    if isinstance(message, Opened):
        return join(Command.OPENED, dump(_numbers_as_text(message)), session=session)
    if isinstance(message, Reply):
        return join(
            Command.REPLY,
            message.body,
            attempt=message.attempts,
            time=message.detail,
            session=session,
            job=message.job,
            service=message.started,
            code=message.outcome,
        )
    if isinstance(message, Report):
        return join(Command.REPORT, message.body, session=session)
    if isinstance(message, Rejected):
        return join(Command.REJECTED, encode_rejection(message.rejection), session=session, code=message.reason)
    return join(Command.HEARTBEAT if isinstance(message, Heartbeat) else Command.DRAIN, session=session)


def _numbers_as_text(message: Union[Open, Opened]) -> dict[str, Any]:
    # Not every JSON reader keeps 64 bits of a number.
    members = {name: value for name, value in message._asdict().items() if name != "session" and value not in ("", 0)}
    for name in ("received", "submitted"):
        if name in members:
            members[name] = str(members[name])
    for name in ("max_body", "grace_ms", "max_bytes"):
        if name in message._fields:
            members[name] = getattr(message, name)
    return members
