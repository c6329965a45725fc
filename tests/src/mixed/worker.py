"""The Python worker of a run: `worker.py ENDPOINT EXECUTIONS WORK_US`. Its handler is that of worker.cpp and worker.rs."""

import os
import sys
import time

from powerhose import Job, JobError, Worker


def main(endpoint: str, executions: str, work_us: str) -> None:
    file = os.open(executions, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    work = int(work_us) / 1e6

    def handle(job: Job) -> bytes:
        if len(job.body) < 8:
            raise JobError("not a payload of this run")
        number = int.from_bytes(job.body[:8], "big")
        # At once and in one piece: it outlives a kill.
        os.write(file, b"%d %d\n" % (number, job.attempt))
        time.sleep(work)
        return job.body[::-1]

    Worker(handle, endpoint).main()


if __name__ == "__main__":
    main(*sys.argv[1:])
