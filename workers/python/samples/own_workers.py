"""Squares numbers with workers of its own: no master and no worker need to run, only the `powerhose` program must be there.

`python own_workers.py 1 2 3`
"""

import sys
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from powerhose import JobRunner


def main(numbers: Sequence[str]) -> None:
    worker = [sys.executable, str(Path(__file__).with_name("square.py"))]
    with JobRunner(worker, workers=3) as runner:
        print("one:", runner.execute(b"12", service="square", timeout=30.0).decode())
        futures: list[Future[bytes]] = [runner.submit(number.encode(), service="square") for number in numbers]
        for number, future in zip(numbers, futures):
            print(number, future.result().decode())


if __name__ == "__main__":
    main(sys.argv[1:])
