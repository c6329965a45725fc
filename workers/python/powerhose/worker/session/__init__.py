"""The worker's side of the protocol, sans I/O: decides when to register, what to start, what to answer and when to leave.

Whoever drives a `Session` tells it what happened (`message`, `malformed`, `finished`, `drain`, `stop`), then takes everything
out of `outputs` and does it, in order. When `next_deadline` is reached it calls `tick`, after everything that was received by
then; an early or repeated one does no harm. `now` may repeat but must not go back. After `Leave` nothing comes out any more.
The states and what each event does in them are the table *States of a worker* in protocol.md.

A worker that loses its master keeps its session and names it when it registers again, with the attempts that it has started
and not answered. Nothing is held against the master for time in which this process was stopped: a late tick moves the limits by
its lateness.
"""

from .config import Config
from .events import Answer, Assignment, CancelSlot, Leave, Open, Output, Overrun, Send, Start
from .session import Session

__all__ = [
    "Answer",
    "Assignment",
    "CancelSlot",
    "Config",
    "Leave",
    "Open",
    "Output",
    "Overrun",
    "Send",
    "Session",
    "Start",
]
