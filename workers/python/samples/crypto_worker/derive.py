"""HKDF with SHA-256, and what is derived with it."""

import base64
import hashlib
import hmac
from typing import Optional

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .messages import Refusal
from .strict import unpadded

_TOKEN_SIGNING = b"services.mozilla.com/tokenlib/v1/signing"
_TOKEN_DERIVE = b"services.mozilla.com/tokenlib/v1/derive/"
_NODE_SECRET = b"services.mozilla.com/mozsvc/v1/node_secret/"
_JWE_KEY = b"token-server/v1/jwe/A256GCM"
_SECRET_ID = b"token-server/v1/secret-id"
_HASH_DIGITS = 32


def token(secret: bytes, payload: str) -> str:
    """Signs a payload as tokenlib does."""
    data = payload.encode()
    signature = hmac.digest(_hkdf(secret, None, _TOKEN_SIGNING, 32), data, "sha256")
    return base64.urlsafe_b64encode(data + signature).decode()


def token_key(secret: bytes, token: str, salt: str) -> str:
    """The key that belongs to a token."""
    return base64.urlsafe_b64encode(_hkdf(secret, salt.encode(), _TOKEN_DERIVE + token.encode(), 32)).decode()


def node_secret(master: bytes, node: str) -> bytes:
    """The secret of one node: as many bytes as `master` has pairs of characters, in hexadecimal; raises `Refusal`."""
    size = len(master) // 2
    if not 0 < size <= 255 * 32:
        raise Refusal("invalid-key")
    return _hkdf(master, None, _NODE_SECRET + node.encode(), size).hex().encode()


def content_key(secret: bytes, salt: str) -> bytes:
    """What encrypts one JWT."""
    return _hkdf(secret, salt.encode(), _JWE_KEY, 32)


def secret_id(secret: bytes) -> str:
    """A name for a secret that does not give it away."""
    return unpadded(_hkdf(secret, None, _SECRET_ID, 32)[:6])


def metrics_hashes(secret: bytes, fxa_uid: str, device_id: Optional[str]) -> "tuple[str, str]":
    """Of the account, and of the device with the account that it belongs to."""
    account = _keyed_hash(secret, fxa_uid)
    return account, _keyed_hash(secret, account + (device_id or "none"))


def _keyed_hash(secret: bytes, text: str) -> str:
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:_HASH_DIGITS]


def _hkdf(secret: bytes, salt: Optional[bytes], info: bytes, size: int) -> bytes:
    return HKDF(hashes.SHA256(), size, salt, info).derive(secret)
