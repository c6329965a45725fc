"""The crypto worker in Python gives the answers of the Rust one, byte for byte."""

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import crypto_requests as requests
import msgpack
import pytest
from crypto_worker import SERVICES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from master import eventually
from processes import started

from powerhose import JobRunner, errors

ROOT = Path(__file__).parents[1]
PATHS = {"PYTHONPATH": f"{ROOT}:{ROOT / 'samples'}"}
PYTHON = [sys.executable, "-m", "crypto_worker"]


@pytest.fixture(scope="module")
def python(binary: str) -> "Iterator[JobRunner]":
    with JobRunner(PYTHON, binary=binary, env=PATHS) as runner:
        yield runner


@pytest.fixture(scope="module")
def program() -> str:
    found = shutil.which("crypto-worker")
    if found is None:
        pytest.fail("the tests need the crypto-worker program: `cargo build -p workers`, and put target/debug on the PATH")
    return found


@pytest.fixture(scope="module")
def rust(binary: str, program: str) -> "Iterator[JobRunner]":
    with JobRunner([program], binary=binary) as runner:
        yield runner


def ask(runner: JobRunner, service: str, body: bytes) -> Any:
    """The answer, or what its failure says."""
    try:
        return runner.execute(body, service=service, timeout=60)
    except errors.JobFailed as error:
        return type(error).__name__, error.message


def reply(runner: JobRunner, service: str, body: bytes) -> Any:
    return msgpack.unpackb(runner.execute(body, service=service, timeout=60))


@pytest.mark.parametrize("case", requests.ASSERTIONS["cases"], ids=lambda case: case["id"])
def test_assertions_get_the_vectors_verdicts(python: JobRunner, case: Any) -> None:
    verdict = reply(python, "browserid-verify", requests.of_case(case))
    verified = verdict.get("Ok")
    # The web tier's rule, which it applies to what the worker verified.
    if verified and case.get("allowed_issuers") is not None and verified["issuer"] not in case["allowed_issuers"]:
        verified = None
    if case["expect"] == "accept":
        expected = case["result"]
        assert verified is not None, verdict
        assert [verified[name] for name in ("email", "issuer", "audience")] == [
            expected[name] for name in ("email", "issuer", "audience")
        ]
        assert verified["idp_claims"] == expected.get("idpClaims", {})
        assert verified["user_claims"] == expected.get("userClaims", {})
    else:
        assert verified is None
        times = verdict.get("Err") in ("expired", "not-yet-valid")
        if case["expect"] == "reject":
            assert times == (case["expect_http"]["status_string"] == "invalid-timestamp"), verdict


def test_assertions_of_real_browsers_verify_in_their_own_time(python: JobRunner) -> None:
    verified = 0
    for request, email in requests.of_browsers():
        verdict = reply(python, "browserid-verify", request)
        if email is None:
            # Its certificate vouches for no address.
            assert verdict == {"Err": "malformed"}
        else:
            assert verdict["Ok"]["email"] == email
            verified += 1
    assert verified >= 5


def test_the_same_payload_makes_the_same_token_and_key(python: JobRunner) -> None:
    vectors = requests.load("tokenlib.json")["tokens"]
    assert len(vectors) == 20
    for vector in vectors:
        request = requests.tokenlib({"fixed": vector["master_secret"].encode()}, {"json": vector["payload_utf8"]})
        issued = reply(python, "token-issue", request)["Ok"]
        assert (issued["token"], issued["key"]) == (vector["token"], vector["derived_secret"]), vector["id"]


def test_secrets_of_nodes_and_hashes_are_the_vectors(python: JobRunner) -> None:
    vectors = requests.load("misc.json")
    for case in vectors["derived_node_secrets"]["cases"]:
        source = {"per_node": {"master": case["master_secret"].encode(), "node": case["node"]}}
        derived = reply(python, "token-issue", requests.tokenlib(source, {"sync": requests.SYNC}))
        fixed = reply(python, "token-issue", requests.tokenlib({"fixed": case["node_secret"].encode()}, {"sync": requests.SYNC}))
        assert "Ok" in derived
        assert derived == fixed
    for case in vectors["metrics_hash"]:
        metrics = {"secret": case["secret"].encode(), "fxa_uid": case["fxa_uid"], "device_id": case["device_id"]}
        issued = reply(python, "token-issue", requests.tokenlib({"fixed": b"s"}, {"sync": requests.SYNC}, metrics))["Ok"]
        assert (issued["hashed_fxa_uid"], issued["hashed_device_id"]) == (case["hashed_fxa_uid"], case["hashed_device_id"])


def everything() -> "Iterator[tuple[str, bytes]]":
    """Requests whose answer is the same each time."""
    for case in requests.ASSERTIONS["cases"]:
        yield "browserid-verify", requests.of_case(case)
    for request, _ in requests.of_browsers():
        yield "browserid-verify", request
    yield from (("browserid-verify", request) for request in requests.hostile_assertions())
    yield from (("token-issue", request) for request in requests.tokens())
    yield from (("token-issue", request) for request in requests.jwts())
    yield from (("token-keys", request) for request in requests.key_descriptions())
    for service in SERVICES:
        yield from ((service, request) for request in requests.no_requests())


def test_every_answer_is_the_rust_workers(python: JobRunner, rust: JobRunner) -> None:
    kinds: dict[str, int] = {}
    for service, request in everything():
        answers = ask(python, service, request), ask(rust, service, request)
        assert answers[0] == answers[1], f"{service} {request!r}"
        kind = answers[0][0] if isinstance(answers[0], tuple) else _kind(answers[0])
        kinds[kind] = kinds.get(kind, 0) + 1
    print(kinds)
    # All the reasons that there are, but for the one that a web tier gives.
    for kind in ["Ok", "JobFailed", "malformed", "expired", "not-yet-valid", "invalid-email", "untrusted-issuer", "unusable-issuer"]:
        assert kinds.get(kind), kind
    for kind in ["issuer-unavailable", "unsupported-algorithm", "bad-signature", "audience-mismatch", "unsupported-chain"]:
        assert kinds.get(kind), kind
    for kind in ["invalid-payload", "invalid-key"]:
        assert kinds.get(kind), kind


def _kind(answer: bytes) -> str:
    [(name, held)] = msgpack.unpackb(answer).items()
    return name if name == "Ok" else str(held)


def test_signatures_that_differ_each_time_verify(python: JobRunner, rust: JobRunner) -> None:
    signed = []
    for runner in (python, rust):
        token = reply(runner, "token-issue", requests.jwt("ES256", requests.ES256_DER, requests.CLAIMS, typ="JWT"))["Ok"]["token"]
        text, _, signature = token.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
        key = requests.P256.public_key()
        key.verify(encode_dss_signature(r, s), text.encode(), ec.ECDSA(hashes.SHA256()))
        signed.append(text)
    assert signed[0] == signed[1]


def test_both_kinds_stand_in_one_pool(binary: str, program: str, python: JobRunner) -> None:
    asked = [(service, request) for service, request in everything() if not isinstance(ask(python, service, request), tuple)]
    expected = [ask(python, service, request) for service, request in asked]
    with JobRunner([program], binary=binary) as runner:
        backend = runner.frontend.replace("/frontend", "/backend")
        beside = subprocess.Popen([*PYTHON, backend], env=PATHS)
        with started(beside):
            eventually("both are there", lambda: len(_workers(binary, runner)) == 2 or None)
            for _ in range(3):
                futures = [runner.submit(request, service=service, timeout=60) for service, request in asked]
                assert [future.result(60) for future in futures] == expected
            done = {worker["implementation"].partition("/")[0]: worker["completed"] for worker in _workers(binary, runner)}
            assert set(done) == {"powerhose", "powerhose-python"}
            assert min(done.values()) > 0, done
            assert sum(done.values()) >= 3 * len(asked)
            beside.terminate()
            assert beside.wait(60) == 0


def _workers(binary: str, runner: JobRunner) -> "list[dict[str, Any]]":
    said = subprocess.run([binary, "status", "--json", "--frontend", runner.frontend], capture_output=True, check=True)
    workers: Optional[list[dict[str, Any]]] = json.loads(said.stdout)["workers"]
    return workers or []
