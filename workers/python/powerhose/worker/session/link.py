import math
from dataclasses import dataclass
from typing import Union


@dataclass
class Backoff:
    """Waiting before the next try."""

    until: float


@dataclass
class Registering:
    """A connection is open and REGISTER is sent."""

    until: float


@dataclass
class Up:
    """A session that the master has confirmed over the present connection."""

    since: float
    heard: float
    """When the master was heard last."""
    ping_at: float
    heartbeat: float
    silence: float
    """How long the master may be silent."""
    max_body: int
    quiet_at: float = math.inf
    """From when on no more jobs come: the master has said so, or has had the time to."""
    answered: bool = False
    """Whether the master has said so."""

    @property
    def lost_at(self) -> float:
        return self.heard + self.silence


class Parted:
    """The worker leaves and has nothing to say to a master any more: only handlers are waited for."""


class Exited:
    """Done."""


Link = Union[Backoff, Registering, Up, Parted, Exited]
