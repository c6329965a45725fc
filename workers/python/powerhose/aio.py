"""The client for asyncio."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Optional, Union

from .client.client import DEFAULT_TIMEOUT, MAX_ATTEMPTS
from .client.client import Client as Blocking
from .curve import Curve


class Client:
    """Like `powerhose.Client`, with an `execute` to await. Cancelling the task withdraws the job."""

    def __init__(
        self,
        endpoint: Union[str, Sequence[str]],
        *,
        curve: Optional[Curve] = None,
        insecure: bool = False,
        max_pending: int = 100_000,
    ) -> None:
        self._client = Blocking(endpoint, curve=curve, insecure=insecure, max_pending=max_pending)

    async def execute(
        self,
        body: bytes,
        *,
        service: str = "",
        timeout: float = DEFAULT_TIMEOUT,
        metadata: Optional[bytes] = None,
        attempts: int = MAX_ATTEMPTS,
        attempt_timeout: Optional[float] = None,
        at_most_once: bool = False,
    ) -> bytes:
        """Has a job done and returns its result. Raises `ExecuteError`."""
        future = self._client.submit(
            body,
            service=service,
            timeout=timeout,
            metadata=metadata,
            attempts=attempts,
            attempt_timeout=attempt_timeout,
            at_most_once=at_most_once,
        )
        return await asyncio.wrap_future(future)

    async def close(self) -> None:
        """Ends the client. Jobs without an outcome fail as `ShuttingDown`, and are withdrawn."""
        await asyncio.get_running_loop().run_in_executor(None, self._client.close)

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()
