"""The bare worker of tests/foreign with the services that the conformance kit asks for, and with a bug if one is named.

Usage: worker.py ENDPOINT [BUG]
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "foreign"))

import bare_worker as bare  # noqa: E402


class Worker(bare.Worker):
    def __init__(self, endpoint):
        super().__init__(endpoint, 0)
        self.services = ["conformance", "echo"]

    def answer(self, service, body, job):
        if service == "echo":
            return bytes(body)
        word, _, rest = bytes(body).partition(b" ")
        if word == b"echo":
            return rest
        if word == b"sleep":
            time.sleep(int(rest) / 1000)
            return b"slept"
        if word == b"large":
            return b"x" * int(rest)
        raise ValueError(rest.decode())


class AnswersHeartbeats(Worker):
    """It takes the master's HEARTBEAT for a question."""

    def handle(self, message):
        if message[0] == bare.HEARTBEAT:
            self.send(bare.HEARTBEAT)
        return super().handle(message)


class HearsEverySession(Worker):
    """It never looks whose session a message belongs to."""

    def handle(self, message):
        fields = list(message)
        fields[3] = self.session
        return super().handle(tuple(fields))


class IgnoresCancel(Worker):
    """It does what nobody wants any more."""

    def handle(self, message):
        return message[0] == bare.CANCEL or super().handle(message)


class StartsExpired(Worker):
    """It does not look at the budget."""

    def work(self, job, attempt, service, deadline, body):
        super().work(job, attempt, service, deadline + 1e6, body)


class DropsOnSigterm(Worker):
    """It keeps what waits to itself when it leaves."""

    def send(self, command, body=b"", **fields):
        if command == bare.DRAIN:
            self.waiting.clear()
        super().send(command, body, **fields)


class LeavesAtOnce(Worker):
    """It does not wait for what may have crossed its DRAIN."""

    def send(self, command, body=b"", **fields):
        super().send(command, body, **fields)
        self.dismissed |= command == bare.DRAIN


class SendsTooLarge(Worker):
    """It never heard of max_body."""

    def register(self):
        super().register()
        self.max_body = 1 << 40


class KeepsItsSocket(Worker):
    """It believes that one connection lasts for ever."""

    def register(self):
        kept, self.socket = getattr(self, "kept", None), None
        if kept is None:
            super().register()
            self.kept = self.socket
            return
        context, self.context = self.context, Kept(kept)
        try:
            super().register()
        finally:
            self.context = context

    def run(self):
        close, bare.zmq.Socket.close = bare.zmq.Socket.close, lambda *_, **__: None
        try:
            super().run()
        finally:
            bare.zmq.Socket.close = close


class Kept:
    """A context whose every new socket is the old one."""

    def __init__(self, socket):
        self.kept = socket

    def socket(self, _):
        return self.kept


BUGS = {
    "answers-heartbeats": AnswersHeartbeats,
    "hears-every-session": HearsEverySession,
    "ignores-cancel": IgnoresCancel,
    "starts-expired": StartsExpired,
    "drops-on-sigterm": DropsOnSigterm,
    "leaves-at-once": LeavesAtOnce,
    "sends-too-large": SendsTooLarge,
    "keeps-its-socket": KeepsItsSocket,
}

if __name__ == "__main__":
    endpoint, *bug = sys.argv[1:]
    try:
        (BUGS[bug[0]] if bug else Worker)(endpoint).run()
    except bare.Exit as exit:
        sys.exit(exit.code)
