"""The loop around the sockets: receives what is there, takes it to the session, does what the session wants done."""

import logging
import math
import random
import threading
import time
from collections import deque
from typing import Any, Optional, Union

import zmq

from ..connection import Connection
from ..curve import Curve
from ..wake import Wake
from ..wire import WireError
from ..wire import worker as wire
from ..wire.limits import LAST_WORDS
from .exit import Cause, Exit
from .own_socket import OwnSocket
from .processes import Processes
from .session import CancelSlot, Config, Leave, Open, Overrun, Send, Session, Start
from .signals import Signals
from .threads import Threads

log = logging.getLogger("powerhose.worker")

_MESSAGES_PER_TURN = 64
# How often a message that found no room is tried again.
_RETRY = 0.01


class Loop:
    """Moves messages between the sockets and the session, in the one thread that calls `run`."""

    def __init__(
        self,
        endpoint: str,
        curve: Optional[Curve],
        own: Optional[OwnSocket],
        config: Config,
        slots: Union[Threads, Processes],
        wake: Wake,
        wishes: "deque[str]",
        signals: Optional[Signals],
        kill_overrunning: bool,
    ) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        self._endpoint = endpoint
        self._connection = Connection(self._context, endpoint, curve)
        self._own = own
        self._services = config.offer.services
        self._slots = slots
        self._wake = wake
        self._wishes = wishes
        self._signals = signals
        self._kill_overrunning = kill_overrunning
        self._session = Session(config, random.Random(), time.monotonic())
        self._state = ""
        self.exit: Optional[Exit] = None
        self.failure: Optional[BaseException] = None
        self.done = threading.Event()

    def run(self) -> None:
        """Runs until the worker leaves; then `exit` or `failure` is set."""
        try:
            while self.exit is None:
                if not self._turn():
                    self._sleep()
        except BaseException as error:
            self.failure = error
        finally:
            self._close()
            self.done.set()

    def _turn(self) -> bool:
        # Whether there was something to do.
        session = self._session
        busy = self._receive()
        if session.is_up and self._own is not None:
            busy |= self._receive_at_own_socket(self._own)
        while (done := self._slots.collect()) is not None:
            slot, (code, elapsed, body) = done
            session.finished(slot, code, elapsed, body, time.monotonic())
            busy = True
        self._obey()
        now = time.monotonic()
        due = session.next_deadline
        if due is not None and due <= now:
            session.tick(now)
        busy |= bool(session.outputs)
        self._perform()
        self._flush()
        self._note_state()
        return busy

    def _receive(self) -> bool:
        count = 0
        while count < _MESSAGES_PER_TURN and (frames := self._connection.receive()) is not None:
            count += 1
            self._take(frames)
        return count > 0

    def _receive_at_own_socket(self, own: OwnSocket) -> bool:
        count = 0
        while count < _MESSAGES_PER_TURN and (received := own.receive()) is not None:
            count += 1
            route, frames = received
            message = self._decode(frames)
            if isinstance(message, wire.Job) and message.session == self._session.id:
                own.note(message, route)
            if message is not None:
                self._session.message(message, time.monotonic())
        return count > 0

    def _take(self, frames: "list[bytes]") -> None:
        message = self._decode(frames)
        if message is not None:
            self._session.message(message, time.monotonic())

    def _decode(self, frames: "list[bytes]") -> Optional[wire.ToWorker]:
        try:
            return wire.decode_to_worker(frames)
        except WireError as error:
            log.debug("the master sent something that is no message: %s", error)
            self._session.malformed()
            return None

    def _obey(self) -> None:
        while self._wishes:
            self._wish(self._wishes.popleft())
        if self._signals is not None:
            self._wish(self._signals.news())

    def _wish(self, wish: Optional[str]) -> None:
        if wish == "drain":
            self._session.drain(time.monotonic())
        elif wish == "stop":
            self._session.stop()

    def _perform(self) -> None:
        outputs = self._session.outputs
        while outputs:
            output = outputs.popleft()
            if isinstance(output, Send):
                self._send(output.message)
            elif isinstance(output, Start):
                self._slots.start(output.slot, output.job)
            elif isinstance(output, CancelSlot):
                self._slots.cancel(output.slot)
            elif isinstance(output, Open):
                if self._own is not None:
                    self._own.reset()
                self._connection.open()
            elif isinstance(output, Overrun):
                self._overrun(output)
            elif isinstance(output, Leave):
                exit = output.exit
                if exit.cause is Cause.MASTER_LOST:
                    exit = exit._replace(message=self._connection.trouble())
                self.exit = exit

    def _send(self, message: wire.FromWorker) -> None:
        frames = wire.encode(message)
        if self._own is None or not self._own.send(message, frames):
            self._connection.send(frames)

    def _flush(self) -> None:
        if self._own is not None:
            for frames in self._own.flush():
                self._connection.send(frames)
        self._connection.flush()

    def _overrun(self, overrun: Overrun) -> None:
        service = self._services[overrun.job.service]
        what = "ends its process" if self._kill_overrunning else "is left alone"
        log.warning("a handler of service %r has been running for %.1f s and %s", service, overrun.running, what)
        if self._kill_overrunning:
            self._slots.end(overrun.slot)

    @property
    def _stuck(self) -> bool:
        return self._connection.stuck or (self._own is not None and self._own.stuck)

    def _sleep(self) -> None:
        sockets: list[Any] = [self._wake.fd, *self._slots.fds()]
        if self._connection.socket is not None:
            sockets.append(self._connection.socket)
        if self._own is not None and self._session.is_up:
            sockets.append(self._own.socket)
        if self._signals is not None:
            sockets.append(self._signals.fd)
        due = self._session.next_deadline
        timeout = -1 if due is None else max(0, math.ceil((due - time.monotonic()) * 1000))
        if self._stuck:
            timeout = int(_RETRY * 1000)
        ready = zmq.zmq_poll([(socket, zmq.POLLIN) for socket in sockets], timeout)
        if any(socket == self._wake.fd for socket, _ in ready):
            self._wake.drain()

    def _note_state(self) -> None:
        state, before = self._session.state, self._state
        if state != before:
            self._state = state
            lost = state == "backoff" and before in ("active", "draining")
            log.log(logging.WARNING if lost else logging.DEBUG, "%s: %s", self._endpoint, state)

    def _close(self) -> None:
        # What was sent last gets out, as far as the master takes it.
        give_up = time.monotonic() + LAST_WORDS
        while self._stuck and time.monotonic() < give_up and self.failure is None:
            time.sleep(_RETRY)
            self._flush()
        # A master that finds the connection closed must not have results in front of it elsewhere.
        if self._own is not None:
            self._own.close()
        self._connection.close(linger=LAST_WORDS)
        self._context.term()
