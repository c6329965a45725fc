"""Addresses and hosts as BrowserID has them: what names an account must have a single form."""

import ipaddress
import re
from typing import Optional

_MAX_EMAIL = 254
_MAX_NAME = 253
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_PORT = re.compile(r"[0-9]{1,5}")
# What ends in a number is an IPv4 address to URL parsers, in whichever notation.
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-fA-F]*")


def email_host(email: str) -> Optional[str]:
    """The host (and port) of an address, or `None` if it is not one that BrowserID allows."""
    local, at, host = email.partition("@")
    if len(email) > _MAX_EMAIL or not at or _LOCAL.fullmatch(local) is None or not is_host(host):
        return None
    return host


def is_host(text: str) -> bool:
    """Whether it is `host` or `host:port` in lower case, and nothing else."""
    name, colon, port = text.partition(":")
    if colon and (_PORT.fullmatch(port) is None or int(port) > 65535):
        return False
    if len(name) > _MAX_NAME or _NAME.fullmatch(name) is None:
        return False
    if _NUMERIC.fullmatch(name.rpartition(".")[2]) is None:
        return True
    try:
        return str(ipaddress.IPv4Address(name)) == name
    except ValueError:
        return False
