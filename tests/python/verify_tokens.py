"""Takes tokens as the services that they are made for would, with other people's libraries.

Reads a JSON object from standard input: "jwks", "secret", "audience", "issuer", and "tokens", each with "format", "id"
and "key". Ends with a traceback when a token is refused. Writes the claims, in the order of the tokens.
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


def hawk(token, key, algorithm="sha256"):
    """A request as a client makes it, taken as a storage node takes it."""
    url = "https://node1.example.test/1.5/1/info/collections"
    client = {"id": token, "key": key, "algorithm": algorithm}
    sender = mohawk.Sender(client, url, "GET", content="", content_type="")

    def look_up(token):
        # All that the node has is the secret.
        derived = tokenlib.get_derived_secret(token, secret=given["secret"])
        return {"id": token, "key": derived, "algorithm": algorithm}

    mohawk.Receiver(
        look_up, sender.request_header, url, "GET", content="", content_type=""
    )


def claims(answer):
    secret = given["secret"].encode()
    token = answer["id"]
    if answer["format"] == "tokenlib":
        found = tokenlib.parse_token(token, secret=given["secret"])
        hawk(token, answer["key"])
        return found
    inner = decrypt(token, secret) if answer["format"] == "jwe" else token
    found = read_jwt(inner, given, secret)
    info = b"services.mozilla.com/tokenlib/v1/derive/" + token.encode()
    derived = base64.urlsafe_b64encode(hkdf(secret, found["salt"].encode(), info)).decode()
    assert derived == answer["key"], "the key is not the token's"
    return found


given = json.load(sys.stdin)
json.dump([claims(answer) for answer in given["tokens"]], sys.stdout)
