"""Issues tokens: tokenlib's, and JWTs."""

from typing import Any, NamedTuple, Optional

from . import derive, messages, signing
from .messages import NoRequest, Refusal
from .strict import json_object, json_text

_JWT_ALGORITHMS = ("EdDSA", "ES256", "RS256", "HS256")
_SYNC_CLAIMS = ("uid", "node", "expires", "fxa_uid", "fxa_kid", "salt")
_NONCE_BYTES = 12


class Hashes(NamedTuple):
    """What tells accounts and devices apart in logs without naming them."""

    account: str
    device: str

    def members(self) -> "dict[str, str]":
        return {"hashed_fxa_uid": self.account, "hashed_device_id": self.device}


class Secret(NamedTuple):
    """The secret of a token, or the one that the secret of its node is derived from."""

    value: bytes
    node: Optional[str]

    def resolve(self) -> bytes:
        secret = self.value if self.node is None else derive.node_secret(self.value, self.node)
        if not secret:
            raise Refusal("invalid-key")
        return secret


def issue(request: "dict[str, Any]") -> "dict[str, Any]":
    """Does a job of `token-issue`; raises `NoRequest`."""
    request = messages.members(request, ("format",), ("metrics",))
    hashes = _hashes(request.get("metrics"))
    name, held = messages.variant(request["format"], "tokenlib", "jwt")
    make = _tokenlib if name == "tokenlib" else _jwt
    try:
        token, key = make(messages.members(held), hashes)
    except Refusal as refusal:
        return {"Err": refusal.reason}
    return {"Ok": {"token": token, "key": key, **(hashes.members() if hashes else {"hashed_fxa_uid": None, "hashed_device_id": None})}}


def describe_keys(request: "dict[str, Any]") -> "dict[str, Any]":
    """Does a job of `token-keys`; raises `NoRequest`."""
    ders = [messages.secret(each) for each in messages.items(messages.members(request, ("keys",))["keys"])]
    described = []
    for index, der in enumerate(ders):
        try:
            key = signing.signing_key(der)
        except Refusal:
            return {"Err": {"index": index}}
        jwk = {**key.jwk, "alg": key.algorithm, "kid": key.kid, "use": "sig"}
        described.append({"algorithm": key.algorithm, "kid": key.kid, "jwk": dict(sorted(jwk.items()))})
    return {"Ok": described}


def _hashes(metrics: Any) -> Optional[Hashes]:
    if metrics is None:
        return None
    metrics = messages.members(metrics, ("secret", "fxa_uid"), ("device_id",))
    device = messages.optional_text(metrics.get("device_id"))
    return Hashes(*derive.metrics_hashes(messages.secret(metrics["secret"]), messages.text(metrics["fxa_uid"]), device))


def _tokenlib(format: "dict[str, Any]", hashes: Optional[Hashes]) -> "tuple[str, Optional[str]]":
    source = _secret(_member(format, "secret"))
    kind, held = messages.variant(_member(format, "payload"), "json", "sync")
    claims = _sync_claims(held) if kind == "sync" else None
    given = messages.text(held) if kind == "json" else ""
    secret = source.resolve()
    if claims is None:
        text, salt = given, _salt(_claims(given))
    else:
        text, salt = _sync_payload(claims, hashes), claims["salt"]
    token = derive.token(secret, text)
    return token, derive.token_key(secret, token, salt)


def _jwt(format: "dict[str, Any]", hashes: Optional[Hashes]) -> "tuple[str, Optional[str]]":
    algorithm, _ = messages.variant(_member(format, "algorithm"), *_JWT_ALGORITHMS)
    der, text = messages.secret(_member(format, "key")), messages.text(_member(format, "claims"))
    kid, typ = messages.optional_text(format.get("kid")), messages.optional_text(format.get("typ"))
    source = None if format.get("secret") is None else _secret(format["secret"])
    encryption = None if format.get("encryption") is None else _encryption(format["encryption"])

    claims = {**_claims(text), **(hashes.members() if hashes else {})}
    token = signing.jwt(algorithm, der, kid, typ, claims)
    if source is None:
        if encryption is not None:
            # There is nothing to encrypt with.
            raise Refusal("invalid-key")
        return token, None
    secret = source.resolve()
    salt = _salt(claims)
    if encryption is not None:
        token = signing.encrypt(token, secret, *encryption)
    return token, derive.token_key(secret, token, salt)


def _member(format: "dict[str, Any]", name: str) -> Any:
    if name not in format:
        raise NoRequest("the body is not a message of this service")
    return format[name]


def _secret(value: Any) -> Secret:
    kind, held = messages.variant(value, "fixed", "per_node")
    if kind == "fixed":
        return Secret(messages.secret(held), None)
    held = messages.members(held)
    return Secret(messages.secret(_member(held, "master")), messages.text(_member(held, "node")))


def _encryption(value: Any) -> "tuple[bytes, str]":
    value = messages.members(value, ("nonce", "salt"))
    nonce = [messages.natural(each) for each in messages.items(value["nonce"])]
    if len(nonce) != _NONCE_BYTES or max(nonce) > 255:
        raise NoRequest("the body is not a message of this service")
    return bytes(nonce), messages.text(value["salt"])


def _sync_claims(value: Any) -> "dict[str, Any]":
    value = messages.members(value)
    claims: dict[str, Any] = {}
    for name in _SYNC_CLAIMS:
        check = messages.natural if name in ("uid", "expires") else messages.text
        claims[name] = check(_member(value, name))
    claims["tokenserver_origin"] = messages.optional_text(value.get("tokenserver_origin"))
    return claims


def _sync_payload(claims: "dict[str, Any]", hashes: Optional[Hashes]) -> str:
    # In the order that storage nodes know.
    members = {name: claims[name] for name in ("uid", "node", "expires", "fxa_uid", "fxa_kid")}
    members.update(hashes.members() if hashes else {})
    if claims["tokenserver_origin"] is not None:
        members["tokenserver_origin"] = claims["tokenserver_origin"]
    return json_text({**members, "salt": claims["salt"]}, sort=False)


def _claims(text: str) -> "dict[str, Any]":
    try:
        return json_object(text)
    except ValueError:
        raise Refusal("invalid-payload") from None


def _salt(claims: "dict[str, Any]") -> str:
    salt = claims.get("salt")
    if not isinstance(salt, str):
        raise Refusal("invalid-payload")
    return salt
