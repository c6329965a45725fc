from typing import NamedTuple

from ..exit import Cause, Exit


class Leaving(NamedTuple):
    """Why the worker leaves, once it has finished."""

    exit: Exit
    hand_back: bool = True
    """Whether what waits goes back to the master; else it is done first."""
    announce: bool = True
    """Whether the master has to be told."""


DRAINED = Leaving(Exit(Cause.DRAINED))
RETIRED = Leaving(Exit(Cause.MAX_AGE))
WORKED_ENOUGH = Leaving(Exit(Cause.MAX_JOBS))
# The master sends no more, so what it sent before is better done here than moved.
DISMISSED = Leaving(Exit(Cause.DRAINED), hand_back=False, announce=False)
