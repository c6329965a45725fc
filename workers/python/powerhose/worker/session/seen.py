from collections import OrderedDict

from ...wire.worker import Key

_PLACES = 1024


class Seen:
    """The attempts taken lately, so that one which is delivered twice is not worked on twice."""

    def __init__(self) -> None:
        self._attempts: OrderedDict[int, int] = OrderedDict()

    def insert(self, key: Key) -> bool:
        """Whether this attempt is new. It is not from now on, nor are those before it: attempts of a job come in order."""
        job, attempt = key
        if self._attempts.get(job, 0) >= attempt:
            return False
        self._attempts[job] = attempt
        if len(self._attempts) > _PLACES:
            self._attempts.popitem(last=False)
        return True

    def clear(self) -> None:
        self._attempts.clear()
