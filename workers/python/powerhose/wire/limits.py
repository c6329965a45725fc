"""The numbers of the protocol: limits, defaults and timings. Times are seconds, sizes bytes."""

MAX_FRAMES = 3
"""Frames of a message, without the routing id."""
INLINE_BODY = 1024
"""The largest body that is sent behind the header, in the same frame."""
MAX_CONTROL_BODY = 256 * 1024
"""The largest JSON body."""
MAX_METADATA = 8 * 1024
"""The largest metadata."""
MAX_SERVICES = 64
"""Services of one worker."""
MAX_SERVICE_NAME = 64
"""The longest name of a service."""
MAX_SLOTS = 1024
"""Slots of one worker."""
MAX_RUNNING = 4096
"""Attempts listed in REGISTER."""
MAX_LABEL = 255
"""The longest `host` and `implementation`."""
MAX_SOCKET_PATH = 107
"""The longest path of a worker's own socket."""
MAX_PREFETCH = 128
"""Jobs that a worker holds per slot, beyond those that run."""

REGISTER_TIMEOUT = 2.0
"""How long to wait for the answer to REGISTER."""
DRAIN_PATIENCE = 1.0
"""How long a worker with nothing left to do waits for the answer to DRAIN before it leaves all the same."""
BACKOFF_FIRST = 0.05
"""The first delay before reconnecting; each further one is twice as long."""
BACKOFF_LIMIT = 5.0
"""The longest delay before reconnecting."""
RECONNECT_LIMIT = 60.0
"""How long a worker looks for a master before it gives up."""
LAST_WORDS = 1.0
"""How long the last messages may take to get out."""
