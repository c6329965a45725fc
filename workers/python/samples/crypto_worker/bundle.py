"""BrowserID assertions, parsed and not verified."""

from typing import Any, NamedTuple, Optional

from . import address
from .keys import Dsa, PublicKey, Rsa
from .messages import Refusal
from .strict import base64url, json_object

MAX_ASSERTION_BYTES = 16 * 1024
# Claims with a meaning of their own, which are never passed on as further ones.
_RESERVED = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "public-key", "pubkey", "principal"}
_MAX_U64 = (1 << 64) - 1


class Times(NamedTuple):
    """Milliseconds since 1970."""

    expires: int
    issued: Optional[int]

    def check(self, now: int) -> None:
        if self.expires < now:
            raise Refusal("expired")
        if self.issued is not None and self.issued > now:
            raise Refusal("not-yet-valid")


class Jws(NamedTuple):
    """What a signature check needs."""

    algorithm: str
    signed: str
    signature: bytes


class Bundle(NamedTuple):
    """A certificate and an assertion."""

    certificate: Jws
    assertion: Jws
    user_key: PublicKey
    issuer: str
    email: str
    certificates: int
    audience: str
    certificate_times: Times
    assertion_times: Times
    idp_claims: "dict[str, Any]"
    user_claims: "dict[str, Any]"

    def check(self, audience: str, now: int) -> str:
        """The checks that come before the issuer's key is needed; returns the email's host."""
        if self.audience != audience:
            raise Refusal("audience-mismatch")
        if self.certificates > 1:
            raise Refusal("unsupported-chain")
        self.assertion_times.check(now)
        host = address.email_host(self.email)
        if host is None:
            raise Refusal("invalid-email")
        if not address.is_host(self.issuer):
            raise Refusal("untrusted-issuer")
        return host


def parse(text: str) -> Bundle:
    """Parses `certificate~assertion`; raises `Refusal`."""
    try:
        if len(text.encode()) > MAX_ASSERTION_BYTES:
            raise ValueError("too long")
        return _parse(text)
    except (ValueError, KeyError):
        raise Refusal("malformed") from None


def public_key(value: Any) -> PublicKey:
    """A key as it stands in certificates and support documents; raises `ValueError` or `KeyError`."""
    if not isinstance(value, dict):
        raise ValueError("no key")
    kind = value["algorithm"]
    if kind == "RS":
        return Rsa(*(_text(value, name) for name in Rsa._fields))
    if kind == "DS":
        return Dsa(*(_text(value, name) for name in Dsa._fields))
    raise ValueError("no algorithm of BrowserID")


def _parse(text: str) -> Bundle:
    *certificates, last = text.split("~")
    if not certificates:
        raise ValueError("no certificate")
    certificate, idp_claims = _jws(certificates[0])
    assertion, user_claims = _jws(last)
    principal = idp_claims["principal"]
    if not isinstance(principal, dict):
        raise ValueError("no principal")
    return Bundle(
        certificate=certificate,
        assertion=assertion,
        user_key=public_key(idp_claims["public-key"]),
        issuer=_text(idp_claims, "iss"),
        email=_text(principal, "email"),
        certificates=len(certificates),
        audience=_text(user_claims, "aud"),
        certificate_times=_times(idp_claims),
        assertion_times=_times(user_claims),
        idp_claims=_further({**{name: value for name, value in principal.items() if name != "email"}, **idp_claims}),
        user_claims=_further(user_claims),
    )


def _jws(text: str) -> "tuple[Jws, dict[str, Any]]":
    signed, dot, signature = text.rpartition(".")
    header, second_dot, payload = signed.partition(".")
    if not dot or not second_dot or "." in payload:
        raise ValueError("not three segments")
    algorithm = _text(json_object(base64url(header)), "alg")
    return Jws(algorithm, signed, base64url(signature)), json_object(base64url(payload))


def _further(claims: "dict[str, Any]") -> "dict[str, Any]":
    return {name: value for name, value in claims.items() if name not in _RESERVED}


def _times(claims: "dict[str, Any]") -> Times:
    return Times(_milliseconds(claims["exp"]), _milliseconds(claims["iat"]) if "iat" in claims else None)


def _milliseconds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no time")
    # Whatever lies before 1970 is 1970.
    return min(max(int(value), 0), _MAX_U64)


def _text(members: "dict[str, Any]", name: str) -> str:
    value = members[name]
    if not isinstance(value, str):
        raise ValueError("no text")
    return value
