from typing import Any, Callable

from powerhose import Job, JobError

from . import browserid, tokens
from .messages import NoRequest, decode, encode

_SERVICES: dict[str, Callable[[Any], Any]] = {
    "browserid-verify": browserid.verify,
    "token-issue": tokens.issue,
    "token-keys": tokens.describe_keys,
}

SERVICES = list(_SERVICES)


def handle(job: Job) -> bytes:
    """Decodes the request, does the work, encodes the reply. A refusal is a reply, too; a job fails only if it is no request."""
    try:
        request, extra = decode(bytes(job.body))
        reply = _SERVICES[job.service](request)
        # Told last, as the Rust worker does.
        if extra:
            raise NoRequest(f"{extra} bytes follow the message")
        return encode(reply)
    except NoRequest as error:
        raise JobError(f"not a request of this service: {error}") from None
