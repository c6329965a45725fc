"""Clients: hand jobs to a master in another process."""

from .client import Client

__all__ = ["Client"]
