"""The JSON bodies of the control commands. Members that a receiver does not know are ignored."""

import json
import re
from typing import Any, NamedTuple, Optional

from .error import WireError
from .limits import (
    MAX_CONTROL_BODY,
    MAX_LABEL,
    MAX_RUNNING,
    MAX_SERVICE_NAME,
    MAX_SERVICES,
    MAX_SLOTS,
    MAX_SOCKET_PATH,
)

_NAME = re.compile(rf"[A-Za-z0-9._-]{{0,{MAX_SERVICE_NAME}}}")
_DECIMAL = re.compile(r"\+?[0-9]{1,40}")

U8, U16, U32, U64 = (2**bits - 1 for bits in (8, 16, 32, 64))


class RunningJob(NamedTuple):
    """An attempt that a resuming worker still holds."""

    job: int
    attempt: int


class Offer(NamedTuple):
    """The body of REGISTER."""

    services: tuple[str, ...] = ("",)
    slots: int = 1
    pid: int = 0
    host: str = ""
    implementation: str = ""
    socket: Optional[str] = None
    running: tuple[RunningJob, ...] = ()


class Terms(NamedTuple):
    """The body of REGISTERED."""

    heartbeat_ms: int
    misses: int
    max_body: int
    implementation: str = ""


class Rejection(NamedTuple):
    """The body of REJECTED."""

    message: str
    versions: tuple[int, ...] = ()


def is_service_name(name: str) -> bool:
    """Whether `name` may name a service; the empty one is the default service."""
    return _NAME.fullmatch(name) is not None


def dump(value: dict[str, Any]) -> bytes:
    """A body, as JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Members:
    """The members of a JSON object, to be asked for by name and kind."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self._values: dict[str, Any] = {}
        self._twice: set[str] = set()
        for name, value in pairs:
            if name in self._values:
                self._twice.add(name)
            self._values[name] = value

    @classmethod
    def parse(cls, body: bytes) -> "Members":
        """Reads a body; raises `WireError`."""
        if len(body) > MAX_CONTROL_BODY:
            raise WireError("too-large", f"{len(body)} bytes of JSON")
        try:
            value = json.loads(body.decode(), object_pairs_hook=cls, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise WireError("field", f"the body is no JSON: {error}") from None
        if not isinstance(value, cls):
            raise WireError("field", "the body is no JSON object")
        return value

    def _get(self, name: str, default: Any) -> Any:
        if name in self._twice:
            raise WireError("field", f"{name} occurs twice")
        value = self._values.get(name, default)
        if value is _REQUIRED:
            raise WireError("field", f"{name} is missing")
        return value

    def integer(self, name: str, most: int, default: Any = None, least: int = 0) -> int:
        """A whole number from `least` to `most`; required without a default."""
        return _integer(name, self._get(name, _REQUIRED if default is None else default), most, least)

    def text(self, name: str, default: Any = None, most: int = MAX_CONTROL_BODY) -> str:
        """A string of at most so many bytes; required without a default."""
        return _text(name, self._get(name, _REQUIRED if default is None else default), most)

    def optional_text(self, name: str) -> Optional[str]:
        """A string, or null, which is the default."""
        value = self._get(name, None)
        return None if value is None else _text(name, value, MAX_CONTROL_BODY)

    def array(self, name: str, default: "list[Any]", most: int) -> "list[Any]":
        """An array of at most so many values."""
        value = self._get(name, default)
        if not isinstance(value, list) or len(value) > most:
            raise WireError("field", f"{name} is no array of at most {most}")
        return value


_REQUIRED = object()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _integer(name: str, value: Any, most: int, least: int = 0) -> int:
    if type(value) is not int or not least <= value <= most:
        raise WireError("field", f"{name} is no whole number from {least} to {most}")
    return value


def _text(name: str, value: Any, most: int) -> str:
    if not isinstance(value, str):
        raise WireError("field", f"{name} is no string")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise WireError("field", f"{name} is no Unicode") from None
    if size > most:
        raise WireError("field", f"{name} has more than {most} bytes")
    return value


def encode_offer(offer: Offer) -> bytes:
    """The body of REGISTER."""
    value: dict[str, Any] = {"services": list(offer.services), "slots": offer.slots, "pid": offer.pid}
    if offer.host:
        value["host"] = offer.host
    if offer.implementation:
        value["implementation"] = offer.implementation
    if offer.socket is not None:
        value["socket"] = offer.socket
    if offer.running:
        value["running"] = [{"job": str(job), "attempt": attempt} for job, attempt in offer.running]
    return dump(value)


def decode_offer(body: bytes) -> Offer:
    """Reads the body of REGISTER; raises `WireError`."""
    members = Members.parse(body)
    services = [_text("services", name, MAX_SERVICE_NAME) for name in members.array("services", [""], MAX_SERVICES)]
    if not services or len(set(services)) < len(services) or not all(map(is_service_name, services)):
        raise WireError("field", "services are no different names")
    socket = members.optional_text("socket")
    if socket is not None and not 1 <= len(socket.encode()) <= MAX_SOCKET_PATH:
        raise WireError("field", f"socket is no path of 1 to {MAX_SOCKET_PATH} bytes")
    return Offer(
        services=tuple(services),
        slots=members.integer("slots", MAX_SLOTS, 1, least=1),
        pid=members.integer("pid", U32, 0),
        host=members.text("host", "", MAX_LABEL),
        implementation=members.text("implementation", "", MAX_LABEL),
        socket=socket,
        running=tuple(_running(entry) for entry in members.array("running", [], MAX_RUNNING)),
    )


def _running(entry: Any) -> RunningJob:
    if not isinstance(entry, Members):
        raise WireError("field", "running lists something that is no object")
    return RunningJob(decimal("job", entry.text("job")), entry.integer("attempt", U8, least=1))


def decimal(name: str, text: str) -> int:
    """A number of 64 bits in decimal digits; raises `WireError`."""
    if _DECIMAL.fullmatch(text) is None or int(text) > U64:
        raise WireError("field", f"{name} is no decimal number of 64 bits")
    return int(text)


def encode_terms(terms: Terms) -> bytes:
    """The body of REGISTERED."""
    return dump(terms._asdict())


def decode_terms(body: bytes) -> Terms:
    """Reads the body of REGISTERED; raises `WireError`."""
    members = Members.parse(body)
    return Terms(
        heartbeat_ms=members.integer("heartbeat_ms", U32, least=1),
        misses=members.integer("misses", U32, least=1),
        max_body=members.integer("max_body", U64),
        implementation=members.text("implementation", ""),
    )


def encode_rejection(rejection: Rejection) -> bytes:
    """The body of REJECTED."""
    return dump({"message": rejection.message, "versions": list(rejection.versions)})


def decode_rejection(body: bytes) -> Rejection:
    """Reads the body of REJECTED; raises `WireError`."""
    members = Members.parse(body)
    versions = members.array("versions", [], MAX_CONTROL_BODY)
    return Rejection(members.text("message"), tuple(_integer("versions", version, U8) for version in versions))
