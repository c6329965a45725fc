"""The client's side of the protocol, sans I/O; the states and events are the table *States of a client* in protocol.md.

Whoever drives a `Core` tells it what happened, then takes everything out of `outputs` and does it, in order. When `next_deadline` is
reached it calls `tick`, after everything that was received by then. `now` may repeat but must not go back.

It holds a session with one master at a time. When it loses that one it tries the masters in the order given, from the first.
"""

import heapq
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Optional, Union

from ..errors import ExecuteError, MasterLost, error_of
from ..wire import DisconnectReason, RejectReason
from ..wire import client as wire
from ..wire.codes import OutcomeCode, Started
from ..wire.limits import REGISTER_TIMEOUT
from ..wire.worker import Disconnect, Drain, Heartbeat, Rejected
from ..worker.session.reconnect import Reconnect

log = logging.getLogger("powerhose.client")

_ACKNOWLEDGE_REPLIES = 256
_ACKNOWLEDGE_BYTES = 1 << 20
# How long after a job's deadline a master that is there may still say what became of it: it knows better, and is as far away as
# the job was.
_REPLY_SLACK = 0.1


class Connect(NamedTuple):
    """Close the connection, if there is one, with everything in it, and open a new one to this endpoint."""

    endpoint: str


class Close(NamedTuple):
    """Close the connection; nothing more comes over it."""


class Send(NamedTuple):
    """Send a message over the connection."""

    message: wire.FromClient


class Done(NamedTuple):
    """A job has its outcome."""

    job: int
    outcome: Union[bytes, ExecuteError]


Output = Union[Connect, Close, Send, Done]


@dataclass
class Job:
    """A job that has no REPLY yet."""

    service: str
    body: bytes
    metadata: Optional[bytes]
    deadline: float
    attempts: int
    at_most_once: bool
    attempt_timeout_ms: Optional[int]
    wanted: bool = True
    """Whether somebody waits for its outcome."""
    started: Started = Started.NO
    """Whether it was submitted in a session that ended, or in this one."""


@dataclass
class _Terms:
    """The session that was opened last and may be resumed, with where and on which terms."""

    opened: wire.Opened
    endpoint: str
    since: float
    received: int = 0
    lost_at: Optional[float] = None
    """When its connection was lost."""

    @property
    def ends_at(self) -> Optional[float]:
        return None if self.lost_at is None else self.lost_at + self.opened.grace_ms / 1000


class Core:
    """The client's side of the protocol; the module says how to drive it."""

    def __init__(self, hello: wire.Open, endpoints: Sequence[str], reconnect: Reconnect, now: float) -> None:
        self.outputs: deque[Output] = deque()
        self.trouble = ""
        """Why there is no session, as far as whoever drives this knows."""
        self.counters = {"replies": 0, "foreign": 0, "unexpected": 0, "sessions": 0, "resumed": 0, "resubmitted": 0}
        self._hello = hello
        self._endpoints = endpoints
        self._reconnect = reconnect
        self._place = -1
        self._terms: Optional[_Terms] = None
        self._waiting: dict[int, Job] = {}
        self._sent: dict[int, Job] = {}
        self._sent_bytes = 0
        self._deadlines: list[tuple[float, int]] = []
        self._last = 0
        self._state = "backoff"
        self._until = now
        self._heard = self._ping_at = now
        self._unacknowledged = self._unacknowledged_bytes = 0
        self._open(now)

    @property
    def state(self) -> str:
        """`backoff`, `opening`, `open`, `draining` or `exited`."""
        return self._state

    @property
    def jobs(self) -> int:
        """The jobs without an outcome or a REPLY."""
        return len(self._waiting) + len(self._sent)

    @property
    def next_deadline(self) -> Optional[float]:
        """When the next `tick` is due."""
        if self._state == "exited":
            return None
        due = [self._until] if self._state in ("backoff", "opening") else [self._ping_at, self._lost_at]
        if self._deadlines:
            due.append(self._deadlines[0][0])
        if self._terms is not None and self._terms.ends_at is not None:
            due.append(self._terms.ends_at)
        return min(due)

    # -- what callers want

    def submit(self, number: int, job: Job, now: float) -> None:
        """Somebody wants this done. Numbers rise."""
        self._waiting[number] = job
        heapq.heappush(self._deadlines, (job.deadline, number))
        self._submit_waiting(now)

    def withdraw(self, number: int) -> None:
        """Nobody waits for the outcome of the job any more."""
        self._waiting.pop(number, None)
        job = self._sent.get(number)
        if job is not None and job.wanted:
            job.wanted = False
            if self.is_up and self._terms is not None:
                self._send(wire.Withdraw(self._terms.opened.session, number))

    def leave(self) -> None:
        """Ends the session; what has no outcome yet fails as shutting down."""
        for number, job in [*self._sent.items(), *self._waiting.items()]:
            self._finish(number, job, error_of(OutcomeCode.SHUTTING_DOWN, job.started))
        self._sent.clear()
        self._waiting.clear()
        if self.is_up and self._terms is not None:
            self._send(Disconnect(self._terms.opened.session, DisconnectReason.SHUTDOWN))
        self._state = "exited"

    # -- what the master says

    def message(self, message: wire.ToClient, now: float) -> None:
        """The master sent this over the connection that was opened last."""
        terms = self._terms
        if self._state == "opening":
            if isinstance(message, wire.Opened):
                self._opened(message, now)
            elif isinstance(message, Rejected):
                self._refused(message, now)
            else:
                self.counters["unexpected"] += 1
        elif not self.is_up or terms is None:
            self.counters["unexpected"] += 1
        elif message.session != terms.opened.session:
            self.counters["foreign"] += 1
        else:
            self._heard = now
            self._hear(message, terms, now)

    def _hear(self, message: wire.ToClient, terms: _Terms, now: float) -> None:
        if isinstance(message, wire.Reply):
            self._reply(message, terms, now)
        elif isinstance(message, Drain):
            self._state = "draining"
        elif isinstance(message, Disconnect) or (isinstance(message, Rejected) and message.reason == RejectReason.UNKNOWN_SESSION):
            self._settle()
            self._back_off(now)
        elif not isinstance(message, Heartbeat):
            self.counters["unexpected"] += 1
        if self._state == "draining" and not self._sent:
            self._settle()
            self._back_off(now)

    def _reply(self, reply: wire.Reply, terms: _Terms, now: float) -> None:
        terms.received += 1
        self.counters["replies"] += 1
        job = self._sent.pop(reply.job, None)
        if job is not None:
            self._sent_bytes -= len(job.body)
            outcome: Union[bytes, ExecuteError] = reply.body
            if reply.outcome != OutcomeCode.OK:
                outcome = error_of(reply.outcome, reply.started, job.service, reply.body, reply.attempts, reply.detail)
            self._finish(reply.job, job, outcome)
        self._unacknowledged += 1
        self._unacknowledged_bytes += len(reply.body)
        if self._unacknowledged >= _ACKNOWLEDGE_REPLIES or self._unacknowledged_bytes >= _ACKNOWLEDGE_BYTES:
            self._ping(terms, now)
        self._submit_waiting(now)

    def _opened(self, opened: wire.Opened, now: float) -> None:
        terms = self._terms
        if terms is not None and terms.opened.session == opened.session:
            self.counters["resumed"] += 1
            terms.lost_at = None
            missing = {number: job for number, job in self._sent.items() if number > opened.submitted}
            for number, job in missing.items():
                del self._sent[number]
                self._sent_bytes -= len(job.body)
            # They were sent before those that wait and have lower numbers.
            self._waiting = {**{number: job for number, job in missing.items() if job.wanted}, **self._waiting}
        else:
            self.counters["sessions"] += 1
            self._settle()
            self._terms = terms = _Terms(opened, self._endpoints[self._place], now)
        self._state = "open"
        self._heard = now
        self._ping_at = now + opened.heartbeat_ms / 1000
        self._unacknowledged = self._unacknowledged_bytes = 0
        for number, job in self._sent.items():
            if not job.wanted:
                self._send(wire.Withdraw(opened.session, number))
        self._submit_waiting(now)

    def _refused(self, rejected: Rejected, now: float) -> None:
        if rejected.reason == RejectReason.UNKNOWN_SESSION:
            self._settle()
        else:
            log.warning("%s refuses this client: %s", self._endpoints[self._place], rejected.rejection.message)
        self._back_off(now)

    # -- time

    def tick(self, now: float) -> None:
        """Time passed."""
        if self._state == "exited":
            return
        due = self.next_deadline
        late = max(0.0, now - due) if due is not None else 0.0
        if self._state == "backoff" and self._until <= now:
            self._open(now)
        elif self._state == "opening" and self._until <= now:
            self._back_off(now)
        elif self.is_up and self._terms is not None:
            # Time in which this process was stopped is not the master's.
            self._heard = min(self._heard + late, now)
            if self._lost_at <= now:
                log.warning("%s is silent", self._terms.endpoint)
                self._terms.lost_at = now
                self._back_off(now)
            elif self._ping_at <= now:
                self._ping(self._terms, now)
        terms = self._terms
        if terms is not None and terms.ends_at is not None and terms.ends_at <= now:
            if self._state == "opening":
                # The answer might resume what is given up here.
                self._back_off(now)
            self._settle()
        self._expire(now)

    def _expire(self, now: float) -> None:
        while self._deadlines and self._deadlines[0][0] <= now:
            due, number = heapq.heappop(self._deadlines)
            job = self._waiting.get(number) or self._sent.get(number)
            if job is None or not job.wanted:
                continue
            patience = job.deadline + _REPLY_SLACK
            if self.is_up and number in self._sent and due < patience:
                heapq.heappush(self._deadlines, (patience, number))
                continue
            if self.is_up:
                error = error_of(OutcomeCode.DEADLINE_EXCEEDED, job.started)
            else:
                error = MasterLost(f"no master: {self.trouble}; started: {job.started.label}", job.started)
            self.outputs.append(Done(number, error))
            self.withdraw(number)

    @property
    def is_up(self) -> bool:
        """Whether there is a session."""
        return self._state in ("open", "draining")

    @property
    def _lost_at(self) -> float:
        if self._terms is None:
            return self._heard
        return self._heard + self._terms.opened.heartbeat_ms * self._terms.opened.misses / 1000

    def _ping(self, terms: _Terms, now: float) -> None:
        self._ping_at = now + terms.opened.heartbeat_ms / 1000
        self._unacknowledged = self._unacknowledged_bytes = 0
        self._send(wire.Ping(terms.opened.session, terms.received))

    def _open(self, now: float) -> None:
        # A session that may be resumed first, else the next master.
        terms = self._terms
        if terms is not None:
            self._place = self._endpoints.index(terms.endpoint)
        else:
            self._place = (self._place + 1) % len(self._endpoints)
        self.outputs.append(Connect(self._endpoints[self._place]))
        session, received = (0, 0) if terms is None else (terms.opened.session, terms.received)
        self._send(self._hello._replace(session=session, received=received))
        self._state, self._until = "opening", now + REGISTER_TIMEOUT

    def _back_off(self, now: float) -> None:
        if self.is_up and self._terms is not None:
            self._reconnect.lost(now - self._terms.since, now)
        self.outputs.append(Close())
        self._state, self._until = "backoff", now + self._reconnect.delay()

    def _settle(self) -> None:
        # The session is over: what was submitted in it may have been started.
        if self._terms is None:
            return
        self._terms = None
        # The most preferred master is tried first again.
        if self._state != "opening":
            self._place = -1
        again = {}
        for number, job in self._sent.items():
            job.attempts -= 1
            if not job.wanted:
                continue
            if job.at_most_once or job.attempts <= 0:
                self._finish(number, job, MasterLost("the master was lost; started: maybe", Started.MAYBE))
            else:
                self.counters["resubmitted"] += 1
                again[number] = job
        self._sent.clear()
        self._sent_bytes = 0
        self._waiting = {**again, **self._waiting}

    def _submit_waiting(self, now: float) -> None:
        if self._state != "open" or self._terms is None:
            return
        opened = self._terms.opened
        while self._waiting and len(self._sent) < opened.max_jobs:
            number = next(iter(self._waiting))
            job = self._waiting[number]
            if len(job.body) > opened.max_body:
                del self._waiting[number]
                self._finish(number, job, error_of(OutcomeCode.PAYLOAD_TOO_LARGE, job.started, detail=opened.max_body))
                continue
            if self._sent and self._sent_bytes + len(job.body) > opened.max_bytes:
                return
            del self._waiting[number]
            self._sent[number] = job
            self._sent_bytes += len(job.body)
            job.started = Started.MAYBE
            budget_ms = max(0, int((job.deadline - now) * 1000 + 0.999))
            self._send(
                wire.Submit(
                    opened.session,
                    number,
                    job.attempts,
                    min(budget_ms, 0xFFFFFFFF),
                    job.service,
                    job.body,
                    job.metadata,
                    job.at_most_once,
                    job.attempt_timeout_ms,
                )
            )

    def _finish(self, number: int, job: Job, outcome: Union[bytes, ExecuteError]) -> None:
        if job.wanted:
            job.wanted = False
            self.outputs.append(Done(number, outcome))

    def _send(self, message: wire.FromClient) -> None:
        self.outputs.append(Send(message))
