"""JSON and base64url as strict as the Rust worker's: what one of the workers takes, the other must take, too."""

import base64
import json
import re
from decimal import Decimal
from typing import Any, NoReturn, Union

_MAX_DEPTH = 127
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


def base64url(text: str) -> bytes:
    """Decodes base64url without padding; raises `ValueError` for more than one way to write the same bytes."""
    if _BASE64URL.fullmatch(text) is None:
        raise ValueError("not base64url")
    decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if unpadded(decoded) != text:
        raise ValueError("not the one way to write it")
    return decoded


def unpadded(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def json_object(text: Union[str, bytes]) -> "dict[str, Any]":
    """Parses a JSON object; raises `ValueError`. Of a member that occurs twice the last one counts."""
    decoded = text if isinstance(text, str) else text.decode()
    try:
        value = json.loads(decoded, parse_int=_integer, parse_float=_fraction, parse_constant=_no_constant)
        # What is no Unicode text cannot be passed on.
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict) or _depth(value) > _MAX_DEPTH:
        raise ValueError("no object, or nested too deeply")
    return value


def json_text(value: Any, *, sort: bool = True) -> str:
    """Writes JSON without spaces."""
    if isinstance(value, dict):
        names = sorted(value) if sort else list(value)
        return "{" + ",".join(f"{json_text(name)}:{json_text(value[name], sort=sort)}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_text(item, sort=sort) for item in value) + "]"
    if isinstance(value, float):
        return _float_text(value)
    return json.dumps(value, ensure_ascii=False)


def sorted_members(value: Any) -> Any:
    """The same value, with the members of its objects in the order of their names."""
    if isinstance(value, dict):
        return {name: sorted_members(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [sorted_members(item) for item in value]
    return value


def _integer(text: str) -> Union[int, float]:
    # Zero with a sign, and what 64 bits do not hold, are fractions.
    value = int(text)
    return value if -(1 << 63) <= value < 1 << 64 and text != "-0" else _fraction(text)


def _fraction(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number out of range")
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def _float_text(value: float) -> str:
    if 1e-5 <= abs(value) < 1e-4:
        return format(Decimal(repr(value)), "f")
    digits, exponent, power = repr(value).partition("e")
    return f"{digits}e{int(power):+d}" if exponent else digits
