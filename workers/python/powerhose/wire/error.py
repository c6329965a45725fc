"""What is wrong with frames that are no message."""


class WireError(ValueError):
    """Frames that are no message; `error` is the name in protocol.md's table of errors."""

    def __init__(self, error: str, why: str) -> None:
        super().__init__(f"{error}: {why}")
        self.error = error
