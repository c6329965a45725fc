"""Hands CPU work from web tiers to worker processes over ZeroMQ.

`Client` (and `powerhose.aio.Client`) hand jobs to a master, `Worker` does them.
"""

from .client import Client
from .curve import Curve
from .errors import ExecuteError
from .worker import Cause, Exit, Job, JobCancelled, JobError, Worker

__all__ = ["Cause", "Client", "Curve", "ExecuteError", "Exit", "Job", "JobCancelled", "JobError", "Worker"]
