"""Squares numbers: the first Powerhose example.

Run it beside a master: `python square.py ipc:///run/powerhose/backend`. Without an endpoint it goes where `POWERHOSE_CONNECT` says.
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
    Worker(square, sys.argv[1] if sys.argv[1:] else None, services=["square"]).main()
