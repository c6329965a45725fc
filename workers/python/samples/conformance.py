"""The worker that `powerhose conformance` tests this package with: `python conformance.py ENDPOINT [SLOTS [OWN_SOCKET]]`."""

import os
import sys
import time

from powerhose import Job, JobError, Worker


def answer(job: Job) -> bytes:
    if job.service == "echo":
        return bytes(job.body)
    word, _, rest = bytes(job.body).partition(b" ")
    if word == b"echo":
        return rest
    if word == b"sleep":
        time.sleep(int(rest) / 1000)
        return b"slept"
    if word == b"large":
        return b"x" * int(rest)
    raise JobError(rest.decode())


if __name__ == "__main__":
    endpoint, *more = sys.argv[1:]
    Worker(
        answer,
        endpoint,
        services=["conformance", "echo"],
        slots=int(more[0]) if more else 1,
        bind=f"ipc://{more[1]}" if len(more) > 1 else None,
        reconnect_limit=float(os.environ.get("POWERHOSE_RECONNECT_LIMIT", "60s").rstrip("s")),
    ).main()
