"""Takes tokens as the services that they are made for would, with other people's libraries.

Reads a JSON object from standard input: "jwks", "secret", "audience", "issuer", and "tokens", each with "format", "id"
and "key". Ends with a traceback when a token is refused, or one of tokenlib's that was tampered with is not. Writes the
claims, in the order of the tokens.
"""

import base64
import json
import sys

import jwt
import mohawk
import tokenlib
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwe as jose_jwe
from joserfc import jwt as jose_jwt
from joserfc.jwk import KeySet, OctKey

NODE_URL = "https://node1.example.test/1.5/1/info/collections"


def hkdf(secret, salt, info):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def decrypt(token, secret):
    """A JWE's content key is derived from the secret with the salt in its header's kid."""
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==="))
    _, salt = header["kid"].split(".")
    key = hkdf(secret, salt.encode(), b"token-server/v1/jwe/A256GCM")
    opened = jose_jwe.decrypt_compact(token, OctKey.import_key(key), algorithms=["dir", "A256GCM"])
    return opened.plaintext.decode()


def read_jwt(token, given, secret):
    header = jwt.get_unverified_header(token)
    algorithm = header["alg"]
    if algorithm == "HS256":
        key, jose_key = secret, OctKey.import_key(secret)
    else:
        key = jwt.PyJWKSet.from_dict(given["jwks"])[header["kid"]].key
        jose_key = KeySet.import_key_set(given["jwks"])
    claims = jwt.decode(
        token,
        key,
        algorithms=[algorithm],
        audience=given["audience"],
        issuer=given["issuer"],
        options={"require": ["exp", "iat", "sub", "jti"]},
    )
    again = jose_jwt.decode(token, jose_key, algorithms=[algorithm])
    assert again.claims == claims, "PyJWT and joserfc disagree"
    return claims


def request_header(token, key):
    """What a client sends with a request."""
    client = {"id": token, "key": key, "algorithm": "sha256"}
    return mohawk.Sender(client, NODE_URL, "GET", content="", content_type="").request_header


def parse(token):
    return tokenlib.parse_token(token, secret=given["secret"])


def take(header):
    """A request as a storage node takes it, that has nothing but the secret. Returns the token's claims."""

    def look_up(token):
        derived = tokenlib.get_derived_secret(token, secret=given["secret"])
        return {"id": token, "key": derived, "algorithm": "sha256"}

    receiver = mohawk.Receiver(look_up, header, NODE_URL, "GET", content="", content_type="")
    return parse(receiver.parsed_header["id"])


def refuses(act, *arguments):
    """By what it says: a header that cannot be read at all would be no test."""
    try:
        act(*arguments)
    except (mohawk.exc.MacMismatch, tokenlib.errors.Error):
        return True
    return False


def tampered_with(token):
    """The token with other claims, and with other signatures."""
    decoded = base64.urlsafe_b64decode(token)
    payload, signature = decoded[:-32], decoded[-32:]
    found = json.loads(payload)
    changes = {name: value + 3600 if isinstance(value, int) else f"{value}x" for name, value in found.items()}
    changed = [(json.dumps({**found, name: value}).encode(), signature) for name, value in changes.items()]
    for at in (0, 15, 31):
        flipped = bytes(byte ^ (place == at) for place, byte in enumerate(signature))
        changed.append((payload, flipped))
    changed += [(payload, bytes(32)), (payload, signature[1:]), (payload, b""), (b"", signature)]
    return [base64.urlsafe_b64encode(payload + signature).decode() for payload, signature in changed]


def check_refusals(token, key):
    """A storage node takes nothing but this token with its key, in the request that was signed."""
    header = request_header(token, key)
    others = {**parse(token), "uid": 2}
    others = tokenlib.make_token(others, secret=given["secret"])
    for changed in tampered_with(token):
        assert refuses(parse, changed), f"a changed token: {changed}"
        # Put into a request that was signed already: Hawk's signature does not cover the token itself.
        assert refuses(take, header.replace(token, changed)), f"a changed token: {changed}"
        assert refuses(take, request_header(changed, key)), f"a changed token: {changed}"
    assert refuses(take, header.replace(token, others)), "another user's token in a signed request"
    assert refuses(take, request_header(others, key)), "another user's token with this one's key"
    forged = tokenlib.make_token({"uid": 1}, secret="a guess")
    guessed = tokenlib.get_derived_secret(forged, secret="a guess")
    assert refuses(take, request_header(forged, guessed)), "a token of another secret"
    for part in ("mac", "nonce", "ts"):
        start = header.index(f'{part}="') + len(part) + 2
        digit = "1" if header[start] != "1" else "2"
        changed = header[:start] + digit + header[start + 1 :]
        assert refuses(take, changed), f"another {part}: {changed}"


def claims(answer):
    secret = given["secret"].encode()
    token = answer["id"]
    if answer["format"] == "tokenlib":
        check_refusals(token, answer["key"])
        return take(request_header(token, answer["key"]))
    inner = decrypt(token, secret) if answer["format"] == "jwe" else token
    found = read_jwt(inner, given, secret)
    info = b"services.mozilla.com/tokenlib/v1/derive/" + token.encode()
    derived = base64.urlsafe_b64encode(hkdf(secret, found["salt"].encode(), info)).decode()
    assert derived == answer["key"], "the key is not the token's"
    return found


given = json.load(sys.stdin)
json.dump([claims(answer) for answer in given["tokens"]], sys.stdout)
