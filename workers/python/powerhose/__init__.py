"""Hands CPU work from web tiers to worker processes over ZeroMQ.

`Client` (and `powerhose.aio.Client`) hand jobs to a master, `Worker` does them; a `JobRunner` is a client with a master and workers of
its own.
"""

from .client import Client
from .curve import Curve
from .errors import ExecuteError
from .runner import JobRunner, PoolFailed
from .worker import Cause, Exit, Job, JobCancelled, JobError, Worker

__all__ = ["Cause", "Client", "Curve", "ExecuteError", "Exit", "Job", "JobCancelled", "JobError", "JobRunner", "PoolFailed", "Worker"]
