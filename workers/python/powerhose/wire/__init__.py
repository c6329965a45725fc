"""Bytes and messages: no sockets, no clock."""

from .codes import CancelReason, Command, DisconnectReason, RejectReason, ResultCode
from .error import WireError

__all__ = ["CancelReason", "Command", "DisconnectReason", "RejectReason", "ResultCode", "WireError"]
