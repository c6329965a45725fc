"""SIGTERM and SIGINT while a worker runs."""

import signal
import threading
from types import FrameType
from typing import Any, Optional

from ..wake import Wake


class Signals:
    """Hears the two signals until it is closed.

    The C level writes them to a pair of sockets, so that they are heard while a handler holds Python's lock or the main thread.
    Any of them drains. Only a second SIGINT, the mark of an impatient person, stops at once: controllers are known to send SIGTERM
    twice, and have SIGKILL to insist.
    """

    def __init__(self) -> None:
        self._interrupts = 0
        self._wake = Wake()
        self._fd_before = signal.set_wakeup_fd(self._wake.writer, warn_on_full_buffer=False)
        self._before: dict[signal.Signals, Any] = {number: signal.signal(number, _heard) for number in (signal.SIGTERM, signal.SIGINT)}

    @staticmethod
    def possible() -> bool:
        """Whether this thread may handle signals."""
        return threading.current_thread() is threading.main_thread()

    @property
    def fd(self) -> int:
        """What to poll for input."""
        return self._wake.fd

    def news(self) -> Optional[str]:
        """What the signals since the last call ask for: `drain` or `stop`."""
        heard = self._wake.drain()
        interrupts = heard.count(signal.SIGINT)
        self._interrupts += interrupts
        if interrupts and self._interrupts > 1:
            return "stop"
        return "drain" if interrupts or signal.SIGTERM in heard else None

    def close(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        signal.set_wakeup_fd(self._fd_before)
        self._wake.close()


def _heard(number: int, frame: Optional[FrameType]) -> None:
    """Python wants a handler; what matters is what the C level writes."""
