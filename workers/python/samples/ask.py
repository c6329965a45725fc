"""Has numbers squared by the workers of `square.py`, all at the same time.

Run it beside a standalone master: `python ask.py ipc:///run/powerhose/frontend 1 2 3`
"""

import asyncio
import sys
from collections.abc import Sequence

from powerhose import ExecuteError, aio


async def ask(client: aio.Client, number: str) -> str:
    try:
        return (await client.execute(number.encode(), service="square", timeout=5.0)).decode()
    except ExecuteError as error:
        return f"{error.code}: {error}"


async def main(endpoint: str, numbers: Sequence[str]) -> None:
    async with aio.Client(endpoint) as client:
        squares = await asyncio.gather(*(ask(client, number) for number in numbers))
    for number, square in zip(numbers, squares):
        print(number, square)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
