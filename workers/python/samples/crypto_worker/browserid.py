"""Verifies BrowserID assertions. The checks run in an order that callers rely on: the first that fails is reported."""

from collections.abc import Sequence
from typing import Any

from . import bundle, keys, messages
from .bundle import Bundle, Jws
from .messages import NoRequest, Refusal
from .strict import sorted_members

_ALGORITHMS = ("RS64", "RS128", "RS256", "DS128", "DS256")
_MAX_ISSUER_KEYS = 8


def verify(request: "dict[str, Any]") -> "dict[str, Any]":
    """Does a job of `browserid-verify`; raises `NoRequest`."""
    request = messages.members(request, ("assertion", "audience", "now_ms", "algorithms", "issuer"))
    assertion, audience = messages.text(request["assertion"]), messages.text(request["audience"])
    now = messages.natural(request["now_ms"])
    algorithms = [messages.variant(each, *_ALGORITHMS)[0] for each in messages.items(request["algorithms"])]
    finding, known = messages.variant(request["issuer"], "known", "untrusted", "unusable", "unavailable")
    issuer_keys = _keys(known) if finding == "known" else []
    try:
        claims = bundle.parse(assertion)
        claims.check(audience, now)
        usable = _usable(finding, issuer_keys)
        claims.certificate_times.check(now)
        _verify(claims.certificate, usable, algorithms)
        user_key = keys.parse(claims.user_key)
        if user_key is None:
            raise Refusal("bad-signature")
        _verify(claims.assertion, [user_key], algorithms)
    except Refusal as refusal:
        return {"Err": refusal.reason}
    return {"Ok": _verified(claims)}


def _verified(claims: Bundle) -> "dict[str, Any]":
    return {
        "email": claims.email,
        "issuer": claims.issuer,
        "audience": claims.audience,
        "idp_claims": sorted_members(claims.idp_claims),
        "user_claims": sorted_members(claims.user_claims),
        "expires_ms": claims.assertion_times.expires,
    }


def _keys(known: Any) -> "list[keys.PublicKey]":
    try:
        return [bundle.public_key(each) for each in messages.items(messages.members(known)["keys"])]
    except (ValueError, KeyError):
        raise NoRequest("the body is not a message of this service") from None


def _usable(finding: str, known: Sequence[keys.PublicKey]) -> "list[keys.VerifyingKey]":
    if finding == "untrusted":
        raise Refusal("untrusted-issuer")
    if finding == "unavailable":
        raise Refusal("issuer-unavailable")
    parsed = [keys.parse(each) for each in known[:_MAX_ISSUER_KEYS]]
    usable = [key for key in parsed if key is not None]
    if not usable:
        raise Refusal("unusable-issuer")
    return usable


def _verify(jws: Jws, candidates: Sequence[keys.VerifyingKey], accepted: Sequence[str]) -> None:
    # The header only says which keys to try, never how: the algorithm must be the one that belongs to the key.
    fitting = [key for key in candidates if key.algorithm == jws.algorithm]
    if jws.algorithm not in accepted or not fitting:
        raise Refusal("unsupported-algorithm")
    if not any(key.verify(jws.signed.encode(), jws.signature) for key in fitting):
        raise Refusal("bad-signature")
