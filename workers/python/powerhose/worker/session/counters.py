from dataclasses import dataclass


@dataclass
class Counters:
    """What a session counts: everything that is dropped or answered without a handler having run, and what befell it."""

    started: int = 0
    malformed: int = 0
    foreign: int = 0
    unexpected: int = 0
    duplicates: int = 0
    overflowed: int = 0
    unknown_service: int = 0
    expired: int = 0
    cancelled: int = 0
    returned: int = 0
    too_large: int = 0
    forgotten: int = 0
    unwanted: int = 0
    registered: int = 0
    resumed: int = 0
    silences: int = 0
    disconnected: int = 0
    refused: int = 0
