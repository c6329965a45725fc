"""Private keys that sign JWTs, and encryption of what they signed."""

import hashlib
import hmac
from functools import lru_cache
from typing import Any, Optional

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from . import derive
from .messages import Refusal
from .strict import json_text, unpadded

_MIN_HMAC_KEY_BYTES = 32
_RSA_BITS = range(2041, 8193)
# id-ecPublicKey, which stands in PKCS#8 and not in the older form.
_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")


class SigningKey:
    """A key, with what may be known of it; raises `Refusal` if it is none that can sign JWTs."""

    def __init__(self, der: bytes) -> None:
        try:
            key = load_der_private_key(der, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise Refusal("invalid-key") from None
        self._key = key
        if isinstance(key, ed25519.Ed25519PrivateKey):
            self.algorithm = "EdDSA"
            public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            self.jwk = {"crv": "Ed25519", "kty": "OKP", "x": unpadded(public)}
        elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1) and _EC_PUBLIC_KEY in der:
            self.algorithm = "ES256"
            point = key.public_key().public_numbers()
            self.jwk = {"crv": "P-256", "kty": "EC", "x": _number(point.x, 32), "y": _number(point.y, 32)}
        elif isinstance(key, rsa.RSAPrivateKey) and key.key_size in _RSA_BITS:
            self.algorithm = "RS256"
            numbers = key.public_key().public_numbers()
            self.jwk = {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
        else:
            raise Refusal("invalid-key")
        self.kid = unpadded(hashlib.sha256(json_text(self.jwk).encode()).digest())

    def sign(self, message: bytes) -> bytes:
        key = self._key
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(message)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        assert isinstance(key, rsa.RSAPrivateKey)
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


@lru_cache(maxsize=16)
def signing_key(der: bytes) -> SigningKey:
    """The same, parsed once: that costs more than a signature."""
    return SigningKey(der)


def jwt(algorithm: str, der: bytes, kid: Optional[str], typ: Optional[str], claims: "dict[str, Any]") -> str:
    """Signs claims; raises `Refusal`."""
    if algorithm == "HS256":
        if len(der) < _MIN_HMAC_KEY_BYTES:
            raise Refusal("invalid-key")
        signed = _unsigned(algorithm, _own(kid, derive.secret_id(der)), typ, claims)
        signature = hmac.digest(der, signed.encode(), "sha256")
    else:
        key = signing_key(der)
        if key.algorithm != algorithm:
            raise Refusal("invalid-key")
        signed = _unsigned(algorithm, _own(kid, key.kid), typ, claims)
        signature = key.sign(signed.encode())
    return f"{signed}.{unpadded(signature)}"


def encrypt(token: str, secret: bytes, nonce: bytes, salt: str) -> str:
    """JWE in compact form with `dir` and A256GCM, for whoever shares the secret."""
    kid = f"{derive.secret_id(secret)}.{salt}"
    header = _segment({"alg": "dir", "enc": "A256GCM", "cty": "JWT", "kid": kid}, sort=False)
    sealed = AESGCM(derive.content_key(secret, salt)).encrypt(nonce, token.encode(), header.encode())
    return f"{header}..{unpadded(nonce)}.{unpadded(sealed[:-16])}.{unpadded(sealed[-16:])}"


def _own(given: Optional[str], own: str) -> str:
    return own if given is None else given


def _unsigned(algorithm: str, kid: str, typ: Optional[str], claims: "dict[str, Any]") -> str:
    header = {"alg": algorithm, **({} if typ is None else {"typ": typ}), "kid": kid}
    return f"{_segment(header, sort=False)}.{_segment(claims)}"


def _segment(value: "dict[str, Any]", *, sort: bool = True) -> str:
    return unpadded(json_text(value, sort=sort).encode())


def _number(value: int, size: Optional[int] = None) -> str:
    return unpadded(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))
