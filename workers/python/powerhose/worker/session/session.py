import random
from collections import deque
from typing import Optional

from ...wire import CancelReason, DisconnectReason, RejectReason, ResultCode
from ...wire import worker as wire
from ...wire.control import RunningJob, Terms
from ...wire.limits import DRAIN_PATIENCE, MAX_PREFETCH, MAX_RUNNING, REGISTER_TIMEOUT
from ...wire.worker import Key
from ..exit import Cause, Exit
from .config import Config
from .counters import Counters
from .events import Answer, Assignment, CancelSlot, Leave, Open, Output, Overrun, Send, Start
from .leaving import DISMISSED, DRAINED, RETIRED, WORKED_ENOUGH, Leaving
from .link import Backoff, Exited, Link, Parted, Registering, Up
from .reconnect import Reconnect
from .seen import Seen
from .slots import Running, Slots

# A tick that is so late finds a process that was stopped.
STOPPED = 0.1


class Session:
    """The worker's side of the protocol; the package says how to drive it."""

    def __init__(self, config: Config, rng: random.Random, now: float) -> None:
        self.id = 0
        """The session that the master issued; 0 if there is none."""
        self.counters = Counters()
        self.outputs: deque[Output] = deque()
        self._config = config
        self._reconnect = Reconnect(config.reconnect_limit, rng, now)
        self._slots = Slots(config.offer.slots)
        self._most_waiting = config.offer.slots * (1 + MAX_PREFETCH)
        self._waiting: dict[Key, Assignment] = {}
        self._kept: list[Answer] = []
        self._seen = Seen()
        self._leaving: Optional[Leaving] = None
        self._retire_at: Optional[float] = None
        if config.max_age is not None:
            self._retire_at = now + config.max_age + rng.uniform(0, config.max_age_delta)
        self._watch_at: Optional[float] = None
        self._link: Link = Backoff(now)
        self._open(now)

    # -- where it stands

    @property
    def is_up(self) -> bool:
        """Whether the master has confirmed the session over the present connection."""
        return isinstance(self._link, Up)

    @property
    def state(self) -> str:
        """`backoff`, `registering`, `active`, `draining` or `exited`."""
        if isinstance(self._link, Up):
            return "active" if self._leaving is None else "draining"
        return "draining" if isinstance(self._link, Parted) else type(self._link).__name__.lower()

    @property
    def next_deadline(self) -> Optional[float]:
        """When the next `tick` is due."""
        link, due = self._link, []
        if isinstance(link, Exited):
            return None
        if isinstance(link, (Backoff, Registering)):
            due.append(min(link.until, self._reconnect.give_up_at))
        elif isinstance(link, Up):
            due.append(min(link.ping_at, link.lost_at))
            if self._parts_at is not None:
                due.append(self._parts_at)
        if self._retire_at is not None and self._leaving is None:
            due.append(self._retire_at)
        if self._watch_at is not None:
            due.append(self._watch_at)
        return min(due, default=None)

    # -- what happened

    def message(self, message: wire.ToWorker, now: float) -> None:
        """The master sent this over the connection that was opened last."""
        link = self._link
        if isinstance(link, Exited):
            return
        if isinstance(link, Up):
            if message.session == self.id:
                link.heard = now
                self._heard(message, now)
            else:
                self.counters.foreign += 1
        elif isinstance(link, Registering) and isinstance(message, wire.Registered):
            self._registered(message.session, message.terms, now)
        elif (
            isinstance(link, Registering)
            and isinstance(message, wire.Rejected)
            # The master cannot name the session of a REGISTER that it could not read.
            and message.session in (self.id, 0)
        ):
            self._refused(message.reason, message.rejection.message, now)
        else:
            self.counters.unexpected += 1

    def malformed(self) -> None:
        """Something came over the connection that is no message."""
        self.counters.malformed += 1

    def finished(self, slot: int, code: ResultCode, elapsed: float, body: bytes, now: float) -> None:
        """The handler in this slot is done."""
        running = self._slots.release(slot)
        if running is None or isinstance(self._link, Exited):
            return
        answer = Answer(running.job.key, code, int(elapsed * 1e6), body)
        if not running.wanted:
            self.counters.unwanted += 1
        elif isinstance(self._link, Up):
            self._answer(answer)
        else:
            self._kept.append(answer)
        self._start_waiting(now)
        self._settle(now)

    def drain(self, now: float) -> None:
        """Finish what has started, hand back the rest, leave."""
        if not isinstance(self._link, Exited):
            self._leave(DRAINED, now)

    def stop(self) -> None:
        """Leave at once."""
        if isinstance(self._link, Exited):
            return
        if isinstance(self._link, Up):
            self._send(wire.Disconnect(self.id, DisconnectReason.SHUTDOWN))
        self._exit(Exit(Cause.STOPPED))

    def tick(self, now: float) -> None:
        """Time passed."""
        due = self.next_deadline
        late = max(0.0, now - due) if due is not None else 0.0
        if self._retire_at is not None and self._retire_at <= now and self._leaving is None:
            self._leave(RETIRED, now)
        if self._watch_at is not None and self._watch_at <= now:
            self._watch(now)
        link = self._link
        if isinstance(link, (Backoff, Registering)):
            self._reconnect.credit(late)
            if self._reconnect.give_up_at <= now:
                self._exit(Exit(Cause.MASTER_LOST))
            elif link.until <= now:
                if isinstance(link, Backoff):
                    self._open(now)
                else:
                    self.counters.refused += 1
                    self._back_off(now)
        elif isinstance(link, Up):
            link.heard = min(link.heard + late, now)
            if late > STOPPED and not link.answered and self._leaving is not None:
                # What came meanwhile may be more than has been read by now.
                link.quiet_at = now + DRAIN_PATIENCE
            if link.lost_at <= now:
                self._silent(now)
            elif link.ping_at <= now:
                link.ping_at = now + link.heartbeat
                self._send(wire.Heartbeat(self.id))
        if self._parts_at is not None and self._parts_at <= now:
            self._settle(now)

    # -- finding a master, keeping it, losing it

    def _open(self, now: float) -> None:
        self.outputs.append(Open())
        self._register(now)

    def _register(self, now: float) -> None:
        keys = [running.job.key for _, running in self._slots.busy() if running.wanted]
        keys += [answer.key for answer in self._kept]
        held = tuple(RunningJob(*key) for key in keys[:MAX_RUNNING])
        self._send(wire.Register(self.id, self._config.offer._replace(running=held)))
        self._link = Registering(now + REGISTER_TIMEOUT)

    def _back_off(self, now: float) -> None:
        self._link = Backoff(now + self._reconnect.delay())
        self._settle(now)

    def _registered(self, session: int, terms: Terms, now: float) -> None:
        if session == self.id:
            self.counters.resumed += 1
        else:
            self.counters.registered += 1
            self._abandon()
            self.id = session
        heartbeat = terms.heartbeat_ms / 1000
        silence = heartbeat * terms.misses
        link = self._link = Up(now, now, now + heartbeat, heartbeat, silence, terms.max_body)
        if self._leaving is not None:
            self._announce(link, now)
        kept, self._kept = self._kept, []
        for answer in kept:
            self._answer(answer)
        self._settle(now)

    def _refused(self, reason: RejectReason, why: str, now: float) -> None:
        self.counters.refused += 1
        if reason == RejectReason.UNKNOWN_SESSION and self.id != 0:
            self._abandon()
            if self._leaving is None:
                self._register(now)
            else:
                self._settle(now)
        elif reason in (RejectReason.UNKNOWN_SESSION, RejectReason.TOO_MANY_WORKERS, RejectReason.DRAINING):
            self._back_off(now)
        else:
            self._exit(Exit(Cause.REJECTED, reason, why))

    def _silent(self, now: float) -> None:
        # It may be the connection alone: the session is kept.
        self.counters.silences += 1
        self._forget_waiting()
        self._lost(now)

    def _disconnected(self, now: float) -> None:
        self.counters.disconnected += 1
        self._abandon()
        self._lost(now)

    def _lost(self, now: float) -> None:
        if isinstance(self._link, Up):
            self._reconnect.lost(now - self._link.since, now)
        self._back_off(now)

    def _forget_waiting(self) -> None:
        self.counters.forgotten += len(self._waiting)
        self._waiting.clear()

    def _abandon(self) -> None:
        # Nobody wants what is left of the session.
        self.id = 0
        self._seen.clear()
        self._forget_waiting()
        self.counters.unwanted += len(self._kept)
        self._kept.clear()
        for slot, running in self._slots.busy():
            running.wanted = False
            self._tell(slot, running)

    # -- jobs

    def _heard(self, message: wire.ToWorker, now: float) -> None:
        if isinstance(message, wire.Job):
            deadline = now + message.budget_ms / 1000
            job = Assignment(message.key, message.service, deadline, message.body, message.metadata)
            self._take(job, now)
        elif isinstance(message, wire.Cancel):
            self._cancel(message.key, message.reason)
        elif isinstance(message, wire.Drain):
            self._leave(DISMISSED, now)
        elif isinstance(message, wire.Disconnect) or (
            isinstance(message, wire.Rejected) and message.reason == RejectReason.UNKNOWN_SESSION
        ):
            self._disconnected(now)
        elif not isinstance(message, wire.Heartbeat):
            self.counters.unexpected += 1

    def _take(self, job: Assignment, now: float) -> None:
        key = job.key
        if not self._seen.insert(key):
            self.counters.duplicates += 1
        elif job.service >= len(self._config.offer.services):
            self.counters.unknown_service += 1
            self._answer(Answer(key, ResultCode.UNKNOWN_SERVICE))
        elif self._leaving is not None:
            self._hand_back(key)
        elif len(self._waiting) < self._most_waiting:
            self._waiting[key] = job
            self._start_waiting(now)
        else:
            self.counters.overflowed += 1
            self._answer(Answer(key, ResultCode.RETURNED))

    def _start_waiting(self, now: float) -> None:
        while self._waiting and self._slots.any_free:
            job = self._waiting.pop(next(iter(self._waiting)))
            if job.deadline <= now:
                self.counters.expired += 1
                self._answer(Answer(job.key, ResultCode.EXPIRED))
            else:
                self._start(job, now)

    def _start(self, job: Assignment, now: float) -> None:
        slot = self._slots.occupy(Running(job, now))
        self.counters.started += 1
        self.outputs.append(Start(slot, job))
        if self._watch_at is None and self._config.overrun is not None:
            self._watch_at = now + self._config.overrun
        if self._config.max_jobs is not None and self.counters.started >= self._config.max_jobs:
            self._leave(WORKED_ENOUGH, now)

    def _cancel(self, key: Key, reason: CancelReason) -> None:
        recalled = reason == CancelReason.RECALLED
        if self._waiting.pop(key, None) is not None:
            if recalled:
                self._hand_back(key)
            else:
                self.counters.cancelled += 1
                self._answer(Answer(key, ResultCode.CANCELLED))
        elif not recalled:
            # A started job that is recalled goes on: its result may still be the first.
            for slot, running in self._slots.busy():
                if running.wanted and running.job.key == key:
                    self._tell(slot, running)

    def _tell(self, slot: int, running: Running) -> None:
        if not running.cancelled:
            running.cancelled = True
            self.outputs.append(CancelSlot(slot))

    def _hand_back(self, key: Key) -> None:
        self.counters.returned += 1
        self._answer(Answer(key, ResultCode.RETURNED))

    def _answer(self, answer: Answer) -> None:
        key, code, elapsed_us, body = answer
        if isinstance(self._link, Up) and len(body) > self._link.max_body:
            self.counters.too_large += 1
            code, body = ResultCode.TOO_LARGE, b""
        self._send(wire.Result(self.id, key, code, elapsed_us, body))

    def _watch(self, now: float) -> None:
        # Reports the handlers that have overrun their time since the last look.
        self._watch_at = None
        if self._config.overrun is None:
            return
        due = []
        for slot, running in self._slots.busy():
            if running.reported:
                continue
            if running.started + self._config.overrun <= now:
                running.reported = True
                self.outputs.append(Overrun(slot, running.job, now - running.started))
            else:
                due.append(running.started + self._config.overrun)
        self._watch_at = min(due, default=None)

    # -- leaving

    @property
    def _working(self) -> bool:
        return bool(self._waiting) or not self._slots.all_free

    @property
    def _parts_at(self) -> Optional[float]:
        # When it no longer waits for the master's answer to DRAIN, having nothing left to do.
        if isinstance(self._link, Up) and self._leaving is not None and not self._working:
            return self._link.quiet_at
        return None

    def _announce(self, link: Up, now: float) -> None:
        # A job may have crossed the message, so the master's answer is waited for.
        self._send(wire.Drain(self.id))
        link.quiet_at = now + DRAIN_PATIENCE

    def _leave(self, leaving: Leaving, now: float) -> None:
        # Takes no more work. The first reason to leave is the one that counts.
        if isinstance(self._link, Up):
            if not leaving.announce:
                self._link.quiet_at, self._link.answered = now, True
            elif self._leaving is None:
                self._announce(self._link, now)
        if leaving.hand_back:
            # Only a connection that is up has waiting jobs.
            waiting, self._waiting = self._waiting, {}
            for key in waiting:
                self._hand_back(key)
        if self._leaving is None:
            self._leaving = leaving
        self._settle(now)

    def _settle(self, now: float) -> None:
        # Goes as far towards the exit as the work that is left allows.
        link = self._link
        if self._leaving is None or isinstance(link, Exited):
            return
        working = self._working
        if isinstance(link, Up):
            if not working and link.quiet_at <= now:
                self._send(wire.Disconnect(self.id, DisconnectReason.DRAINED))
                self._exit(self._leaving.exit)
            return
        owed = bool(self._kept) or any(running.wanted for _, running in self._slots.busy())
        if isinstance(link, (Backoff, Registering)) and owed:
            return
        if working:
            self._link = Parted()
        else:
            self._exit(self._leaving.exit)

    def _exit(self, exit: Exit) -> None:
        for slot, running in self._slots.busy():
            self._tell(slot, running)
        self._link = Exited()
        self._watch_at = None
        self.outputs.append(Leave(exit))

    def _send(self, message: wire.FromWorker) -> None:
        self.outputs.append(Send(message))
