from typing import NamedTuple, Optional

from ...wire import limits
from ...wire.control import Offer


class Config(NamedTuple):
    """What a session depends on besides its inputs. Times are seconds."""

    offer: Offer
    reconnect_limit: float = limits.RECONNECT_LIMIT
    max_jobs: Optional[int] = None
    max_age: Optional[float] = None
    max_age_delta: float = 0.0
    """At most this much, at random, is added to `max_age`."""
    overrun: Optional[float] = None
    """A handler that runs longer is reported, once."""
