"""A master and workers of one's own: started with the program, stopped with it."""

from .pool import PoolFailed
from .runner import JobRunner

__all__ = ["JobRunner", "PoolFailed"]
