"""The messages between a worker and its master, both ways."""

from collections.abc import Sequence
from typing import NamedTuple, Optional, Union

from .codes import CancelReason, Command, DisconnectReason, RejectReason, ResultCode, code
from .control import (
    Offer,
    Rejection,
    Terms,
    decode_offer,
    decode_rejection,
    decode_terms,
    encode_offer,
    encode_rejection,
    encode_terms,
)
from .error import WireError
from .header import INLINE, METADATA, SEPARATE, Header, join, split

Key = tuple[int, int]
"""A job and the number of the attempt."""


class Register(NamedTuple):
    """Asks for a session, or to resume one."""

    session: int
    offer: Offer


class Result(NamedTuple):
    """How an attempt ended."""

    session: int
    key: Key
    code: ResultCode
    elapsed_us: int
    body: bytes


class Heartbeat(NamedTuple):
    """Still here."""

    session: int


class Drain(NamedTuple):
    """From a worker: no more jobs. From the master: finish and leave."""

    session: int


class Disconnect(NamedTuple):
    """The session is over."""

    session: int
    reason: DisconnectReason


class Registered(NamedTuple):
    """The session and its terms."""

    session: int
    terms: Terms


class Rejected(NamedTuple):
    """A message was refused."""

    session: int
    reason: RejectReason
    rejection: Rejection


class Job(NamedTuple):
    """Do this."""

    session: int
    key: Key
    service: int
    budget_ms: int
    body: bytes
    metadata: Optional[bytes]


class Cancel(NamedTuple):
    """The result is not wanted any more, or wanted elsewhere."""

    session: int
    key: Key
    reason: CancelReason


FromWorker = Union[Register, Result, Heartbeat, Drain, Disconnect]
ToWorker = Union[Registered, Rejected, Heartbeat, Job, Cancel, Drain, Disconnect]

_BODY = INLINE | SEPARATE
_FROM_WORKER: dict[int, int] = {
    Command.REGISTER: _BODY,
    Command.HEARTBEAT: 0,
    Command.RESULT: _BODY,
    Command.DRAIN: 0,
    Command.DISCONNECT: 0,
}
_TO_WORKER: dict[int, int] = {
    Command.REGISTERED: _BODY,
    Command.REJECTED: _BODY,
    Command.HEARTBEAT: 0,
    Command.JOB: _BODY | METADATA,
    Command.CANCEL: 0,
    Command.DRAIN: 0,
    Command.DISCONNECT: 0,
}


def decode_to_worker(frames: Sequence[bytes], max_body: Optional[int] = None) -> ToWorker:
    """Reads what the master sent; raises `WireError`."""
    header, body, metadata, _ = split(frames, _TO_WORKER)
    command, session = header.command, header.session
    if command == Command.JOB:
        _check_size(body, max_body)
        return Job(session, _key(header), header.service, header.time, body, metadata)
    if command == Command.CANCEL:
        return Cancel(session, _key(header), code(CancelReason, header.code))
    if command == Command.REGISTERED:
        if session == 0:
            raise WireError("field", "REGISTERED with session 0")
        return Registered(session, decode_terms(body))
    if command == Command.REJECTED:
        reason = code(RejectReason, header.code)
        return Rejected(session, reason, decode_rejection(body))
    return _common(header)


def decode_from_worker(frames: Sequence[bytes], max_body: Optional[int] = None) -> FromWorker:
    """Reads what a worker sent; raises `WireError`."""
    header, body, _, _ = split(frames, _FROM_WORKER)
    if header.command == Command.RESULT:
        _check_size(body, max_body)
        return Result(header.session, _key(header), code(ResultCode, header.code), header.time, body)
    if header.command == Command.REGISTER:
        return Register(header.session, decode_offer(body))
    return _common(header)


def _common(header: Header) -> Union[Heartbeat, Drain, Disconnect]:
    if header.command == Command.HEARTBEAT:
        return Heartbeat(header.session)
    if header.command == Command.DRAIN:
        return Drain(header.session)
    return Disconnect(header.session, code(DisconnectReason, header.code))


def _key(header: Header) -> Key:
    if header.attempt == 0:
        raise WireError("field", "attempts count from 1")
    return header.job, header.attempt


def _check_size(body: bytes, max_body: Optional[int]) -> None:
    if max_body is not None and len(body) > max_body:
        raise WireError("too-large", f"{len(body)} bytes, at most {max_body} are allowed")


def encode(message: Union[FromWorker, ToWorker]) -> list[bytes]:
    """The frames of a message."""
    session = message.session
    if isinstance(message, Result):
        job, attempt = message.key
        return join(
            Command.RESULT,
            message.body,
            attempt=attempt,
            time=message.elapsed_us,
            session=session,
            job=job,
            code=message.code,
        )
    if isinstance(message, Heartbeat):
        return join(Command.HEARTBEAT, session=session)
    if isinstance(message, Register):
        return join(Command.REGISTER, encode_offer(message.offer), session=session)
    if isinstance(message, Drain):
        return join(Command.DRAIN, session=session)
    if isinstance(message, Disconnect):
        return join(Command.DISCONNECT, session=session, code=message.reason)
    if isinstance(message, Registered):
        return join(Command.REGISTERED, encode_terms(message.terms), session=session)
    if isinstance(message, Rejected):
        body = encode_rejection(message.rejection)
        return join(Command.REJECTED, body, session=session, code=message.reason)
    job, attempt = message.key
    if isinstance(message, Cancel):
        return join(Command.CANCEL, attempt=attempt, session=session, job=job, code=message.reason)
    return join(
        Command.JOB,
        message.body,
        message.metadata,
        attempt=attempt,
        time=message.budget_ms,
        session=session,
        job=job,
        service=message.service,
    )
