"""Squares whole numbers: the first Powerhose example. The samples in Rust and C++ answer every input as this one does.

Run it beside a master: `python square.py ipc:///run/powerhose/backend`. Without an endpoint it goes where `POWERHOSE_CONNECT` says.
"""

import re
import sys

from powerhose import Job, JobError, Worker

NUMBER = re.compile(rb"-?([0-9]+)")
# Its square is the last one that fits into 64 bits with a sign, which is what the other languages' samples can hold.
LARGEST = 3_037_000_499


def square(job: Job) -> str:
    number = NUMBER.fullmatch(job.body)
    if number is None:
        raise JobError("not a whole number")
    # A million digits are nothing for int() to read.
    digits = number[1].lstrip(b"0") or b"0"
    if len(digits) > len(str(LARGEST)) or int(digits) > LARGEST:
        raise JobError("the square is too large")
    return str(int(digits) ** 2)


if __name__ == "__main__":
    Worker(square, sys.argv[1] if sys.argv[1:] else None, services=["square"]).main()
