"""The Python client of a run: `client.py threads|asyncio ENDPOINT OUTCOMES`.

It reads lines "FIRST COUNT" from standard input, has so many jobs done, writes a line for each outcome to the file, a number to standard
output whenever further jobs have ended, and "done". client.rs does the same.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from typing import IO, Optional

from powerhose import Client, ExecuteError, aio

IN_FLIGHT = 32
TIMEOUT = 60.0
TELL_EVERY = 100


def payload(number: int) -> bytes:
    size = 4000 if number % 50 == 0 else 64
    return number.to_bytes(8, "big") + os.urandom(size - 8)


def at_most_once(number: int) -> bool:
    return number % 10 == 0


class Outcomes:
    """Writes down how jobs ended; any thread may say so."""

    def __init__(self, file: IO[str], count: int) -> None:
        self.file = file
        self.left = count
        self.untold = 0
        self.lock = threading.Lock()

    def ended(self, number: int, right: bool, error: Optional[ExecuteError]) -> None:
        outcome = f"{error.code} {error.started}" if error else "ok finished" if right else "wrong finished"
        with self.lock:
            self.file.write(f"{number} {outcome}\n")
            self.untold += 1
            self.left -= 1
            if self.untold >= TELL_EVERY or self.left == 0:
                self.file.flush()
                print(self.untold, flush=True)
                self.untold = 0


def execute_all(client: Client, numbers: Iterator[int], outcomes: Outcomes) -> None:
    lock = threading.Lock()

    def caller() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            body = payload(number)
            try:
                answer = client.execute(body, timeout=TIMEOUT, at_most_once=at_most_once(number))
                outcomes.ended(number, answer == body[::-1], None)
            except ExecuteError as error:
                outcomes.ended(number, False, error)

    callers = [threading.Thread(target=caller) for _ in range(IN_FLIGHT)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()


async def await_all(client: aio.Client, numbers: Iterator[int], outcomes: Outcomes) -> None:
    async def caller() -> None:
        for number in numbers:
            body = payload(number)
            try:
                answer = await client.execute(body, timeout=TIMEOUT, at_most_once=at_most_once(number))
                outcomes.ended(number, answer == body[::-1], None)
            except ExecuteError as error:
                outcomes.ended(number, False, error)

    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))


def parts(file: IO[str]) -> "Iterator[tuple[Iterator[int], Outcomes]]":
    for line in sys.stdin:
        first, count = map(int, line.split())
        yield iter(range(first, first + count)), Outcomes(file, count)
        print("done", flush=True)


def with_threads(endpoint: str, file: IO[str]) -> None:
    with Client(endpoint) as client:
        for numbers, outcomes in parts(file):
            execute_all(client, numbers, outcomes)


async def with_asyncio(endpoint: str, file: IO[str]) -> None:
    async with aio.Client(endpoint) as client:
        # Nothing else runs in the loop while it waits for a line.
        for numbers, outcomes in parts(file):
            await await_all(client, numbers, outcomes)


def main(how: str, endpoint: str, path: str) -> None:
    with open(path, "x") as file:
        if how == "threads":
            with_threads(endpoint, file)
        else:
            asyncio.run(with_asyncio(endpoint, file))


if __name__ == "__main__":
    main(*sys.argv[1:])
