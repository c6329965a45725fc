"""The frames that every implementation must read and write alike."""

import json
from pathlib import Path
from typing import Any, Callable

import pytest

from powerhose.wire import CancelReason, DisconnectReason, RejectReason, ResultCode, WireError, client
from powerhose.wire import worker as wire
from powerhose.wire.codes import OutcomeCode, Started
from powerhose.wire.control import Offer, Rejection, RunningJob, Terms
from powerhose.wire.header import HEADER

VECTORS = Path(__file__).parents[3] / "tests/vectors/wire"
DIRECTIONS: "dict[str, Callable[[list[bytes]], Any]]" = {
    "worker-to-master": wire.decode_from_worker,
    "master-to-worker": wire.decode_to_worker,
    "client-to-master": client.decode_from_client,
    "master-to-client": client.decode_to_client,
}


def load(name: str) -> "list[dict[str, Any]]":
    entries = json.loads((VECTORS / f"{name}.json").read_text())[name]
    assert entries, f"{name}.json is empty"
    return entries  # type: ignore[no-any-return]


def frames(entry: "dict[str, Any]") -> "list[bytes]":
    return [bytes.fromhex(frame) for frame in entry["frames"]]


def name(entry: "dict[str, Any]") -> str:
    return f"{entry['name']}-{entry['direction']}"


def label(kind: Any, text: str) -> Any:
    return next(code for code in kind if code.label == text)


CLIENT = ("OPEN", "OPENED", "SUBMIT", "REPLY", "WITHDRAW", "STATUS", "REPORT")


def client_message(session: int, command: str, fields: "dict[str, Any]") -> Any:
    for name in {"job", "received", "submitted"} & set(fields):
        fields[name] = int(fields[name])
    for name in {"body", "metadata"} & set(fields):
        fields[name] = None if fields[name] is None else bytes.fromhex(fields[name])
    if command == "REPLY":
        fields["outcome"] = label(OutcomeCode, fields["outcome"])
        fields["started"] = label(Started, fields["started"])
    return getattr(client, command.capitalize())(session, **fields)


def message(entry: "dict[str, Any]") -> Any:
    command, fields = entry["command"], dict(entry["fields"])
    session = int(fields.pop("session"))
    if "job" in fields:
        key = (int(fields["job"]), fields.get("attempt", 0))
    if command in CLIENT:
        return client_message(session, command, fields)
    if command == "REGISTER":
        running = tuple(RunningJob(int(each["job"]), each["attempt"]) for each in fields.pop("running"))
        services = tuple(fields.pop("services"))
        return wire.Register(session, Offer(services=services, running=running, **fields))
    if command == "REGISTERED":
        return wire.Registered(session, Terms(**fields))
    if command == "REJECTED":
        rejection = Rejection(fields["message"], tuple(fields["versions"]))
        return wire.Rejected(session, label(RejectReason, fields["reason"]), rejection)
    if command == "HEARTBEAT":
        if "received" in fields:
            return client.Ping(session, int(fields["received"]))
        return wire.Heartbeat(session)
    if command == "JOB":
        metadata = fields["metadata"]
        return wire.Job(
            session,
            key,
            fields["service"],
            fields["budget_ms"],
            bytes.fromhex(fields["body"]),
            None if metadata is None else bytes.fromhex(metadata),
        )
    if command == "RESULT":
        code = label(ResultCode, fields["result"])
        return wire.Result(session, key, code, fields["elapsed_us"], bytes.fromhex(fields["body"]))
    if command == "CANCEL":
        return wire.Cancel(session, key, label(CancelReason, fields["reason"]))
    if command == "DRAIN":
        return wire.Drain(session)
    assert command == "DISCONNECT"
    return wire.Disconnect(session, label(DisconnectReason, fields["reason"]))


@pytest.mark.parametrize("entry", load("messages"), ids=name)
def test_is_read(entry: "dict[str, Any]") -> None:
    decode = DIRECTIONS[entry["direction"]]
    assert decode(frames(entry)) == message(entry)


@pytest.mark.parametrize("entry", [e for e in load("messages") if e.get("canonical", True)], ids=name)
def test_is_written(entry: "dict[str, Any]") -> None:
    encode: Any = client.encode if "client" in entry["direction"] else wire.encode
    written, expected = encode(message(entry)), frames(entry)
    if entry["command"] in ("REGISTER", "REGISTERED", "REJECTED", "OPEN", "OPENED"):
        size = HEADER.size
        assert written[0][:size] == expected[0][:size]
        body = written[0][size:] if len(written) == 1 else written[1]
        golden = expected[0][size:] if len(expected) == 1 else expected[1]
        ours = json.loads(body)
        assert {name: value for name, value in ours.items() if value not in ("", [], None, "0")} == {
            name: value for name, value in json.loads(golden).items() if value not in ("", [], None, "0")
        }
    else:
        assert written == expected


@pytest.mark.parametrize("entry", load("refused"), ids=name)
def test_is_refused(entry: "dict[str, Any]") -> None:
    with pytest.raises(WireError) as refused:
        DIRECTIONS[entry["direction"]](frames(entry))
    assert refused.value.error == entry["error"]
