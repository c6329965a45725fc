"""Requests for crypto workers: those of the shared vectors, and hostile ones."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import msgpack
from crypto_worker import bundle
from crypto_worker.messages import Refusal
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

VECTORS = Path(__file__).parents[3] / "tests" / "vectors"
NOW_MS = 1_800_000_000_000
ALL = ["RS64", "RS128", "RS256", "DS128", "DS256"]
DEFAULT = ["RS256", "DS128", "DS256"]
_MAX_DELEGATIONS = 6


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


ASSERTIONS = load("browserid_assertions.json")


def verify_request(assertion: str, audience: str, now_ms: int, issuer: Any, algorithms: "Optional[list[str]]" = None) -> bytes:
    return pack(assertion=assertion, audience=audience, now_ms=now_ms, algorithms=algorithms or ALL, issuer=issuer)


def pack(**members: Any) -> bytes:
    packed: bytes = msgpack.packb(members)
    return packed


def of_case(case: "dict[str, Any]") -> bytes:
    """The request of a web tier that got the assertion."""
    now = case.get("now_ms") or NOW_MS
    try:
        parsed = bundle.parse(case["assertion"])
        host = parsed.check(case["expected_audience"], now)
    except Refusal:
        # A web tier would not ask. The worker has to say the same.
        return verify_request(case["assertion"], case["expected_audience"], now, "untrusted")
    return verify_request(
        case["assertion"], case["expected_audience"], now, _find(parsed.issuer, host, case.get("trusted_issuers") or [])
    )


def _document(host: str) -> "dict[str, Any]":
    document = ASSERTIONS["documents"].get(host, {})
    fine = document.get("status") == 200 and document["content_type"].startswith("application/json")
    return document["body"] if fine and isinstance(document["body"], dict) else {}


def _find(issuer: str, host: str, trusted: "list[str]") -> Any:
    hosts = [host]
    while len(hosts) <= _MAX_DELEGATIONS and isinstance(_document(hosts[-1]).get("authority"), str):
        hosts.append(_document(hosts[-1])["authority"])
    if issuer not in hosts and issuer not in trusted:
        return "untrusted"
    key = _document(issuer).get("public-key")
    try:
        bundle.public_key(key)
    except (ValueError, KeyError):
        return "unusable"
    return {"known": {"keys": [key]}}


def of_browsers() -> "Iterator[tuple[bytes, Optional[str]]]":
    """Assertions of real browsers and of the JavaScript implementation, in their own time, and whose they are."""
    static = load("browserid_static.json")
    for case in static["cases"]:
        if case.get("issuer_public_key"):
            known = {"known": {"keys": [case["issuer_public_key"]]}}
            yield verify_request(case["assertion"], case["audience"], case["verify_now_ms"], known, DEFAULT), case.get("email")
    for case in static["jwcrypto"]["BACKED_ASSERTIONS"]:
        known = {"known": {"keys": [case["certifyingKey"]]}}
        yield verify_request(case["assertion"], case["audience"], case["expires_at"], known, DEFAULT), case["email"]


def hostile_assertions() -> "Iterator[bytes]":
    """One that was changed here and there, and ones whose JSON is what parsers disagree about."""
    case = next(case for case in ASSERTIONS["cases"] if case["id"] == "valid-rs256-ds128-fxa")
    issuer = msgpack.unpackb(of_case(case))["issuer"]
    text, audience = case["assertion"], case["expected_audience"]

    def request(assertion: str) -> bytes:
        return verify_request(assertion, audience, NOW_MS, issuer)

    for at in range(0, len(text), 37):
        yield request(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
        yield request(text[:at])
    certificate, _, assertion = text.partition("~")
    header, payload, signature = certificate.split(".")
    claims = _json(payload)
    for change in _CLAIMS:
        yield request(f"{header}.{_segment(claims[:-1] + ',' + change + '}')}.{signature}~{assertion}")
    for other in ["", "[]", "null", "\ufeff{}", claims + " x", claims + " \n", claims.replace(":", ": "), "{" * 5000, "[" * 9000]:
        yield request(f"{header}.{_segment(other)}.{signature}~{assertion}")
    for other in ["", "{}", '{"alg":5}', '{"alg":"none"}', '{"alg":"RS256","alg":"DS128"}', '{"alg":"DS256"}']:
        yield request(f"{_segment(other)}.{payload}.{signature}~{assertion}")
    for email in ["a@b@c", "a", "@a", "a@", "\u00e4@example.test", "a@EXAMPLE.test", "a@127.1", "a@0x7f.0.0.1", "a@example.test:65536"]:
        change = '"principal":' + json.dumps({"email": email}) + "}"
        yield request(f"{header}.{_segment(claims[:-1] + ',' + change)}.{signature}~{assertion}")
    for keys in [[], [{"algorithm": "RS", "n": "-5", "e": "x"}], [{"algorithm": "RS", "n": "1_0", "e": "3"}], ["x"], 5]:
        yield verify_request(text, audience, NOW_MS, {"known": {"keys": keys}})
    for finding in ["untrusted", "unusable", "unavailable", "known", {"known": {}}, {"other": 1}, None]:
        yield verify_request(text, audience, NOW_MS, finding)
    for algorithms in [["RS256"], ["DS128"], ["none"], [5]]:
        yield verify_request(text, audience, NOW_MS, issuer, algorithms)


_CLAIMS = [
    '"x":NaN',
    '"x":Infinity',
    '"x":1e999',
    '"x":1e308',
    '"x":-0',
    '"x":18446744073709551616',
    f'"x":{"9" * 400}',
    '"x":"\\ud800"',
    '"x":"\\ud83d\\ude00"',
    '"x":"\u0001"',
    '"x":01',
    '"x":' + "[" * 126 + "]" * 126,
    '"x":' + "[" * 127 + "]" * 127,
    '"exp":-5',
    '"exp":4102444800000.9',
    '"exp":1e300',
    '"exp":true',
    '"exp":null',
    '"exp":"4102444800000"',
    '"iat":null',
    '"iat":-1.5',
    '"iat":4e12',
    '"iss":5',
    '"principal":[]',
    '"principal":{}',
    '"public-key":{"algorithm":"RS","n":"5"}',
    '"public-key":{"algorithm":"RS","n":"5","e":"3","more":1}',
    '"public-key":{"algorithm":"XX"}',
    '"public-key":[]',
]


def _json(segment: str) -> str:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)).decode()


def _segment(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def tokenlib(secret: Any, payload: Any, metrics: Any = None) -> bytes:
    return pack(format={"tokenlib": {"secret": secret, "payload": payload}}, metrics=metrics)


def jwt(algorithm: str, key: bytes, claims: str, **more: Any) -> bytes:
    members = {"algorithm": algorithm, "key": key, "kid": None, "typ": None, "claims": claims, "secret": None, "encryption": None}
    return pack(format={"jwt": {**members, **more}}, metrics=more.pop("metrics", None))


SYNC = {
    "uid": (1 << 64) - 1,
    "node": "https://node.example.test/\u00e9\"'\\",
    "expires": 1_900_000_000,
    "fxa_uid": "1e3a9a2a722efe11d18ff0fa7867f2b3",
    "fxa_kid": "0000000001234-qqo",
    "tokenserver_origin": None,
    "salt": "a1b2c3",
}
METRICS = {"secret": b"super-sekrit", "fxa_uid": SYNC["fxa_uid"], "device_id": "a36d0dc24591ceed9617f1c134feb20b"}
CLAIMS = (
    '{"salt":"a1b2c3","z":1,"a":[1e16,1e-5,1e-7,0.1,1e21,123456789012345680.0,-0,18446744073709551615,18446744073709551616,-5,1.5],'
    '"text":"\\u00e9\\u0001\\u007f\\n\\"\\\\/","nested":{"b":null,"a":true},"a\\u0001":{}}'
)


def tokens() -> "Iterator[bytes]":
    """Tokens of tokenlib, good and bad."""
    for vector in load("tokenlib.json")["tokens"]:
        yield tokenlib({"fixed": vector["master_secret"].encode()}, {"json": vector["payload_utf8"]})
    for case in load("misc.json")["derived_node_secrets"]["cases"]:
        yield tokenlib({"per_node": {"master": case["master_secret"].encode(), "node": case["node"]}}, {"sync": SYNC})
    for origin in [None, "rust"]:
        for metrics in [None, METRICS, {**METRICS, "device_id": None}, {**METRICS, "device_id": ""}, {**METRICS, "secret": "text"}]:
            yield tokenlib({"fixed": "secret"}, {"sync": {**SYNC, "tokenserver_origin": origin}}, metrics)
    for text in [
        "",
        "[]",
        "null",
        "{}",
        '{"salt": 5}',
        '{"salt": "a"} x',
        '{"salt": "a"',
        '{"salt":"a","x":NaN}',
        '{"salt":"\\ud800"}',
    ]:
        yield tokenlib({"fixed": b"secret"}, {"json": text})
    for secret in [{"fixed": b""}, {"per_node": {"master": b"x", "node": "n"}}, {"per_node": {"master": b"x" * 16400, "node": "n"}}]:
        yield tokenlib(secret, {"json": "no payload"})
        yield tokenlib(secret, {"sync": SYNC})


ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
P256 = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())


def _der(key: Any, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    der: bytes = key.private_bytes(Encoding.DER, form, NoEncryption())
    return der


RSA = rsa.generate_private_key(65537, 2048)
EDDSA_DER, ES256_DER, RS256_DER, PKCS1_DER = _der(ED25519), _der(P256), _der(RSA), _der(RSA, PrivateFormat.TraditionalOpenSSL)
NO_SIGNING_KEYS = [
    b"",
    b"junk",
    EDDSA_DER[:-1],
    _der(P256, PrivateFormat.TraditionalOpenSSL),
    _der(ec.derive_private_key(7, ec.SECP384R1())),
    _der(rsa.generate_private_key(65537, 1024)),
]


def jwts() -> "Iterator[bytes]":
    """JWTs whose signature is the same each time, and refusals."""
    encryption = {"nonce": list(range(12)), "salt": "5a17"}
    for algorithm, key in [("EdDSA", EDDSA_DER), ("RS256", RS256_DER), ("RS256", PKCS1_DER), ("HS256", b"k" * 32)]:
        yield jwt(algorithm, key, CLAIMS)
        yield jwt(algorithm, key, CLAIMS, kid="", typ="at+jwt")
        yield jwt(algorithm, key, CLAIMS, kid="key-1", secret={"fixed": b"secret"}, metrics=METRICS)
        yield jwt(algorithm, key, CLAIMS, secret={"per_node": {"master": b"secret", "node": "https://n"}}, encryption=encryption)
        yield jwt(algorithm, key, CLAIMS, encryption=encryption)
        yield jwt(algorithm, key, '{"x":1}', secret={"fixed": b"secret"})
        yield jwt(algorithm, key, "[]")
        yield jwt(algorithm, key, CLAIMS, secret={"fixed": b"secret"}, encryption={**encryption, "nonce": [1] * 11})
    yield jwt("HS256", b"k" * 31, CLAIMS)
    yield jwt("EdDSA", RS256_DER, CLAIMS)
    yield jwt("XX", RS256_DER, CLAIMS)
    for key in NO_SIGNING_KEYS:
        for algorithm in ["EdDSA", "ES256", "RS256"]:
            yield jwt(algorithm, key, CLAIMS)


def key_descriptions() -> "Iterator[bytes]":
    good = [EDDSA_DER, ES256_DER, RS256_DER, PKCS1_DER]
    yield pack(keys=[])
    yield pack(keys=good)
    for key in NO_SIGNING_KEYS:
        yield pack(keys=[*good, key])


def no_requests() -> "Iterator[bytes]":
    """What is a request of no service."""
    good = tokenlib({"fixed": b"secret"}, {"sync": SYNC})
    yield from [
        b"",
        b"\xc1",
        b"\x80",
        b"\x90",
        b"\xc0",
        b"\xa1x",
        good + b"\0\0",
        good[:-1],
        bytes(70_000),
        pack(keys=5),
        pack(keys=[5]),
    ]
    yield pack(**msgpack.unpackb(good), more=1)
    yield b"\x82\xa6format\xc0\xa6format\xc0"
    yield tokenlib({"fixed": 5}, {"sync": SYNC})
    yield tokenlib({"fixed": b"x"}, {"sync": {**SYNC, "uid": -1}})
    yield tokenlib({"fixed": b"x"}, {"sync": {name: value for name, value in SYNC.items() if name != "node"}})
    yield tokenlib({"fixed": b"x"}, {"sync": SYNC}, {"secret": b"x"})
    yield tokenlib({"fixed": b"x"}, "sync")
