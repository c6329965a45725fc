"""Squares numbers: the first Powerhose example.

Run it beside a master: `python square.py ipc:///run/powerhose/backend`
"""

import sys

from powerhose import Job, JobError, Worker


def square(job: Job) -> str:
    try:
        number = int(job.body)
    except ValueError:
        raise JobError(f"{job.body!r} is not a number") from None
    return str(number * number)


if __name__ == "__main__":
    Worker(square, sys.argv[1], services=["square"]).main()
