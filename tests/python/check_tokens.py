"""Checks tokens with Mozilla's own tokenlib.

Reads a JSON list of {"id", "key", "secret"} from standard input and writes the list of the tokens' claims to standard
output. Ends with a traceback if a token does not parse or a key is not the one derived from it.
"""

import json
import sys

import tokenlib


def claims(answer):
    parsed = tokenlib.parse_token(answer["id"], secret=answer["secret"])
    derived = tokenlib.get_derived_secret(answer["id"], secret=answer["secret"])
    if derived != answer["key"]:
        raise ValueError(f"the derived key is {derived!r}, the server said {answer['key']!r}")
    return parsed


json.dump([claims(answer) for answer in json.load(sys.stdin)], sys.stdout)
