"""Workers: take jobs from a master, run a handler on each, send back what it says."""

from .exit import Cause, Exit
from .job import Job, JobCancelled, JobError
from .worker import Worker

__all__ = ["Cause", "Exit", "Job", "JobCancelled", "JobError", "Worker"]
