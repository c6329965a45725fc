"""Public keys of BrowserID: bounded before they cost time, and verified with."""

import hashlib
import re
from typing import NamedTuple, Optional, Union

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

_MAX_DIGITS = 640
_DIGITS = {10: re.compile("[0-9]+"), 16: re.compile("[0-9a-fA-F]+")}
_RSA_SIZES = {511: "RS64", 512: "RS64", 1023: "RS128", 1024: "RS128", 2047: "RS256", 2048: "RS256"}
_DSA_SIZES = {(1024, 160): "DS128", (2048, 256): "DS256"}
# The ASN.1 that precedes a SHA-256 digest in PKCS#1 v1.5 (RFC 8017, section 9.2).
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


class Rsa(NamedTuple):
    """As it stands in a certificate: decimal numbers."""

    n: str
    e: str


class Dsa(NamedTuple):
    """As it stands in a certificate: hexadecimal numbers."""

    y: str
    p: str
    q: str
    g: str


PublicKey = Union[Rsa, Dsa]


class RsaKey:
    def __init__(self, algorithm: str, n: int, e: int) -> None:
        self.algorithm = algorithm
        self._n, self._e = n, e

    def verify(self, message: bytes, signature: bytes) -> bool:
        """PKCS#1 v1.5 with SHA-256."""
        if len(signature) != (self._n.bit_length() + 7) // 8:
            return False
        if self.algorithm == "RS64":
            return self._verify_short(message, signature)
        try:
            key = rsa.RSAPublicNumbers(self._e, self._n).public_key()
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True

    def _verify_short(self, message: bytes, signature: bytes) -> bool:
        # Libraries refuse moduli as short as this one. The whole encoded message is compared, so nothing of the padding is parsed.
        end = b"\0" + _DIGEST_INFO + hashlib.sha256(message).digest()
        expected = b"\0\1" + b"\xff" * (len(signature) - 2 - len(end)) + end
        number = int.from_bytes(signature, "big")
        return number < self._n and pow(number, self._e, self._n) == int.from_bytes(expected, "big")


class DsaKey:
    def __init__(self, algorithm: str, numbers: dsa.DSAPublicNumbers) -> None:
        self.algorithm = algorithm
        self._numbers = numbers

    def verify(self, message: bytes, signature: bytes) -> bool:
        """The signature is r and s, each as long as q. Old writers strip zero bytes from the front of the whole."""
        q = self._numbers.parameter_numbers.q
        size = (q.bit_length() + 7) // 8
        if len(signature) > 2 * size:
            return False
        padded = signature.rjust(2 * size, b"\0")
        r, s = int.from_bytes(padded[:size], "big"), int.from_bytes(padded[size:], "big")
        if not (0 < r < q and 0 < s < q):
            return False
        algorithm = hashes.SHA1() if self.algorithm == "DS128" else hashes.SHA256()
        try:
            self._numbers.public_key().verify(encode_dss_signature(r, s), message, algorithm)
        except (InvalidSignature, ValueError):
            return False
        return True


VerifyingKey = Union[RsaKey, DsaKey]


def parse(key: PublicKey) -> Optional[VerifyingKey]:
    """`None` when a number is not written as prescribed, or the key has none of the sizes that BrowserID names."""
    if isinstance(key, Rsa):
        n, e = _number(key.n, 10), _number(key.e, 10)
        if n is None or e is None:
            return None
        algorithm = _RSA_SIZES.get(n.bit_length())
        if algorithm is None or not (n & e & 1 and 2 <= e.bit_length() <= 33):
            return None
        return RsaKey(algorithm, n, e)
    y, p, q, g = (_number(text, 16) for text in key)
    if y is None or p is None or q is None or g is None:
        return None
    algorithm = _DSA_SIZES.get((p.bit_length(), q.bit_length()))
    if algorithm is None or not (p & q & 1 and 1 < g < p and 1 < y < p):
        return None
    return DsaKey(algorithm, dsa.DSAPublicNumbers(y, dsa.DSAParameterNumbers(p, q, g)))


def _number(text: str, radix: int) -> Optional[int]:
    # `int` alone would also take a sign, spaces and underscores.
    if len(text) > _MAX_DIGITS or _DIGITS[radix].fullmatch(text) is None:
        return None
    return int(text, radix)
