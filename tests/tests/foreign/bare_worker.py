"""A worker without an SDK, written from protocol.md: it squares numbers.

Usage: bare_worker.py ENDPOINT [SLOW_SECONDS]

It offers the services `square`, `slow-square` and `stubborn-square`; the others take their time, the last one without letting
any other Python thread run. One thread does everything: while a handler runs nobody pings, which the protocol allows. SIGTERM drains. Exits with 0 when drained, 69 without a master, 76 or 78 when
rejected.
"""

import ctypes
import json
import math
import os
import random
import signal
import struct
import sys
import time
from collections import deque
from socket import gethostname, socketpair

import zmq

HEADER = struct.Struct(">BBBBIQQHH")
VERSION = 1
REGISTER, REGISTERED, REJECTED, HEARTBEAT, JOB, RESULT, CANCEL, DRAIN, DISCONNECT = range(1, 10)
INLINE_BODY, BODY_FRAME, METADATA = 0x01, 0x02, 0x04
OK, FAILED, EXPIRED, RETURNED, CANCELLED, TOO_LARGE, UNKNOWN_SERVICE = 0, 1, 3, 4, 5, 6, 7
UNKNOWN_SESSION, INVALID_REGISTRATION, TOO_MANY_WORKERS, MASTER_DRAINING = 3, 5, 6, 7
RECALLED = 4
DRAINED = 2

REGISTER_TIMEOUT, DRAIN_PATIENCE = 2.0, 1.0
BACKOFF_FIRST, BACKOFF_LIMIT, RECONNECT_LIMIT = 0.05, 5.0, 60.0
LAST_WORDS = 1000


class Exit(Exception):
    def __init__(self, code):
        self.code = code


class MasterLost(Exception):
    pass


def square(body):
    number = int(body)
    return str(number * number).encode()


def is_message(command, flags, attempt, code, first, frames):
    """What protocol.md's table of errors asks of a message to a worker, besides its JSON."""
    bodies = flags & (INLINE_BODY | BODY_FRAME)
    if flags > 0x07 or bodies == INLINE_BODY | BODY_FRAME:
        return False
    if bodies and command not in (REGISTERED, REJECTED, JOB) or flags & METADATA and command != JOB:
        return False
    if frames != 1 + bool(flags & BODY_FRAME) + bool(flags & METADATA):
        return False
    if first > HEADER.size and not flags & INLINE_BODY:
        return False
    if command in (JOB, CANCEL) and attempt == 0:
        return False
    if command in (CANCEL, DISCONNECT):
        return 1 <= code <= 4
    return command != REJECTED or 1 <= code <= 9


class Worker:
    def __init__(self, endpoint, slow_seconds):
        self.endpoint = endpoint
        self.slow_seconds = slow_seconds
        self.services = ["square", "slow-square", "stubborn-square"]
        self.context = zmq.Context()
        self.socket = None
        self.session = 0
        self.waiting = deque()
        self.leaving = False
        self.draining = False
        self.dismissed = False
        # SIGTERM ends a wait through this pair.
        self.signals, self.signalled = socketpair()
        self.signals.setblocking(False)
        self.signalled.setblocking(False)
        signal.set_wakeup_fd(self.signalled.fileno())
        signal.signal(signal.SIGTERM, self.on_sigterm)

    def on_sigterm(self, *_):
        self.leaving = True

    # -- messages

    def send(self, command, body=b"", *, attempt=0, time=0, job=0, code=0):
        flags = INLINE_BODY if 0 < len(body) <= 1024 else BODY_FRAME if body else 0
        header = HEADER.pack(VERSION, command, flags, attempt, time, self.session, job, 0, code)
        if flags == BODY_FRAME:
            self.socket.send_multipart([header, body])
        else:
            self.socket.send(header + body)

    def receive(self, until):
        """The next message; None if there is none by then, or if SIGTERM came."""
        while True:
            while not self.socket.poll(0):
                timeout = until - time.monotonic()
                if timeout <= 0 or (self.leaving and not self.draining):
                    return None
                self.wait(timeout, self.socket)
            frames = self.socket.recv_multipart()
            first = frames.pop(0)
            if len(first) < HEADER.size:
                continue
            version, command, flags, attempt, budget, session, job, service, code = HEADER.unpack_from(first)
            if version != VERSION or not is_message(command, flags, attempt, code, len(first), 1 + len(frames)):
                continue
            body = frames[0] if flags & BODY_FRAME else first[HEADER.size :]
            if command in (REGISTERED, REJECTED):
                try:
                    body = json.loads(body)
                except ValueError:
                    continue
            return command, attempt, budget, session, job, service, code, body

    def wait(self, timeout, *sockets):
        """Waits for a message, SIGTERM, or the end of the time."""
        poller = zmq.Poller()
        for socket in (*sockets, self.signals.fileno()):
            poller.register(socket, zmq.POLLIN)
        poller.poll(timeout * 1000)
        try:
            self.signals.recv(64)
        except BlockingIOError:
            pass

    def result(self, job, attempt, code, body=b"", elapsed=0.0):
        if len(body) > self.max_body:
            code, body = TOO_LARGE, b""
        elapsed_us = min(int(elapsed * 1e6), 0xFFFFFFFF)
        self.send(RESULT, body, attempt=attempt, time=elapsed_us, job=job, code=code)

    # -- life

    def run(self):
        delay, failing_since = BACKOFF_FIRST, time.monotonic()
        while not self.leaving:
            registered_at = None
            try:
                self.register()
                registered_at = time.monotonic()
                self.serve()
            except MasterLost:
                pass
            finally:
                self.socket.close(linger=LAST_WORDS if self.draining else 0)
                self.session = 0
                self.waiting.clear()
            now = time.monotonic()
            if registered_at is not None:
                failing_since = now
                if now - registered_at >= BACKOFF_LIMIT:
                    delay = BACKOFF_FIRST
            if now - failing_since >= RECONNECT_LIMIT:
                raise Exit(69)
            if not self.leaving:
                self.wait(random.uniform(delay / 2, delay))
                delay = min(delay * 2, BACKOFF_LIMIT)
        self.context.term()

    def register(self):
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(self.endpoint)
        offer = {
            "services": self.services,
            "slots": 1,
            "pid": os.getpid(),
            "host": gethostname(),
            "implementation": "bare-python/1",
        }
        self.send(REGISTER, json.dumps(offer).encode())
        until = time.monotonic() + REGISTER_TIMEOUT
        while True:
            message = self.receive(until)
            if message is None:
                raise MasterLost
            command, _, _, session, _, _, code, body = message
            if command == REGISTERED:
                terms = body
                self.session = session
                self.heartbeat = terms["heartbeat_ms"] / 1000
                self.silence = self.heartbeat * terms["misses"]
                self.max_body = terms["max_body"]
                print("registered", f"{session:016x}", flush=True)
                return
            if command == REJECTED:
                print("rejected", code, body["message"], flush=True)
                if code in (UNKNOWN_SESSION, TOO_MANY_WORKERS, MASTER_DRAINING):
                    raise MasterLost
                raise Exit(78 if code == INVALID_REGISTRATION else 76)

    def serve(self):
        heard = pinged = time.monotonic()
        quiet_at = math.inf
        while True:
            # Everything that has arrived counts before silence is judged.
            while self.socket.poll(0):
                message = self.receive(0)
                if message is not None and self.handle(message):
                    heard = time.monotonic()
            if self.leaving and not self.draining:
                self.draining = True
                print("draining", flush=True)
                self.send(DRAIN)
                quiet_at = time.monotonic() + DRAIN_PATIENCE
                for job in self.waiting:
                    self.result(job[0], job[1], RETURNED)
                self.waiting.clear()
            # Until the master has answered, a job may have crossed DRAIN.
            if self.draining and not self.waiting and (self.dismissed or time.monotonic() >= quiet_at):
                self.send(DISCONNECT, code=DRAINED)
                return
            now = time.monotonic()
            if now - heard >= self.silence:
                raise MasterLost
            if now - pinged >= self.heartbeat:
                self.send(HEARTBEAT)
                pinged = now
            if self.waiting:
                self.work(*self.waiting.popleft())
                # The master could not be heard in the meantime.
                heard = time.monotonic()
                continue
            due = min(pinged + self.heartbeat, heard + self.silence)
            message = self.receive(min(due, quiet_at) if self.draining else due)
            if message is not None and self.handle(message):
                heard = time.monotonic()

    def handle(self, message):
        """Whether it was a message of this session."""
        command, attempt, budget, session, job, service, code, body = message
        if session != self.session:
            return False
        if command == JOB:
            deadline = time.monotonic() + budget / 1000
            if service >= len(self.services):
                self.result(job, attempt, UNKNOWN_SERVICE)
            elif self.leaving:
                self.result(job, attempt, RETURNED)
            else:
                self.waiting.append((job, attempt, service, deadline, body))
        elif command == CANCEL:
            for waiting in self.waiting:
                if waiting[:2] == (job, attempt):
                    self.waiting.remove(waiting)
                    self.result(job, attempt, RETURNED if code == RECALLED else CANCELLED)
                    break
        elif command == DRAIN:
            # What is waiting is done first, then serve() says good-bye.
            self.draining = self.leaving = self.dismissed = True
        elif command == DISCONNECT or (command == REJECTED and code == UNKNOWN_SESSION):
            raise MasterLost
        return True

    def work(self, job, attempt, service, deadline, body):
        started = time.monotonic()
        if deadline <= started:
            self.result(job, attempt, EXPIRED)
            return
        try:
            code, answer = OK, self.answer(self.services[service], body, job)
        except ValueError as error:
            code, answer = FAILED, str(error).encode()
        self.result(job, attempt, code, answer, time.monotonic() - started)

    def answer(self, service, body, job):
        if service != "square":
            print("working", job, flush=True)
        if service == "slow-square":
            time.sleep(self.slow_seconds)
        elif service == "stubborn-square":
            # PyDLL keeps the global interpreter lock during the call.
            ctypes.PyDLL(None).usleep(int(self.slow_seconds * 1e6))
        return square(body)


if __name__ == "__main__":
    endpoint, *rest = sys.argv[1:]
    try:
        Worker(endpoint, float(rest[0]) if rest else 0.5).run()
    except Exit as exit:
        sys.exit(exit.code)
