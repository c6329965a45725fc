"""The session without sockets, with the clock in the test's hand."""

import random
from typing import Any, Optional

from powerhose import Cause
from powerhose.wire import CancelReason, DisconnectReason, RejectReason, ResultCode
from powerhose.wire import worker as wire
from powerhose.wire.control import Offer, Rejection, RunningJob, Terms
from powerhose.wire.limits import BACKOFF_FIRST, BACKOFF_LIMIT, DRAIN_PATIENCE, REGISTER_TIMEOUT
from powerhose.worker.session import CancelSlot, Config, Leave, Open, Send, Session, Start

TERMS = Terms(heartbeat_ms=1000, misses=3, max_body=100)


class Driven:
    """A session with what came out of it."""

    def __init__(self, **config: Any) -> None:
        self.now = 100.0
        slots = config.pop("slots", 1)
        self.session = Session(Config(Offer(services=("a", "b"), slots=slots), **config), random.Random(7), self.now)

    def out(self) -> "list[Any]":
        outputs = list(self.session.outputs)
        self.session.outputs.clear()
        return [output.message if isinstance(output, Send) else output for output in outputs]

    def hear(self, message: wire.ToWorker) -> "list[Any]":
        self.session.message(message, self.now)
        return self.out()

    def register(self, session: int = 7) -> "list[Any]":
        self.out()
        return self.hear(wire.Registered(session, TERMS))

    def job(self, number: int, attempt: int = 1, service: int = 0, session: int = 7, budget_ms: int = 60_000) -> "list[Any]":
        return self.hear(wire.Job(session, (number, attempt), service, budget_ms, b"x", None))

    def finish(self, slot: int = 0, body: bytes = b"y") -> "list[Any]":
        self.session.finished(slot, ResultCode.OK, 0.000031, body, self.now)
        return self.out()

    def wait(self, seconds: Optional[float] = None) -> "list[Any]":
        """Lets time pass until the next deadline, or for longer."""
        due = self.session.next_deadline
        assert due is not None
        self.now = due if seconds is None else self.now + seconds
        self.session.tick(self.now)
        return self.out()


def ok(number: int, session: int = 7) -> wire.Result:
    return wire.Result(session, (number, 1), ResultCode.OK, 31, b"y")


def answer(number: int, code: ResultCode) -> wire.Result:
    return wire.Result(7, (number, 1), code, 0, b"")


def test_it_registers_and_does_jobs_in_order() -> None:
    driven = Driven()
    opened, register = driven.out()
    assert opened == Open()
    assert register.session == 0
    assert driven.register() == []
    (start,) = driven.job(1)
    assert (start.slot, start.job.key) == (0, (1, 1))
    assert driven.job(2) == []
    done, following = driven.finish()
    assert done == ok(1)
    assert following.job.key == (2, 1)


def test_silence_after_register_backs_off_and_tries_again() -> None:
    driven = Driven()
    driven.out()
    started = driven.now
    assert driven.wait() == []
    assert driven.now == started + REGISTER_TIMEOUT
    assert driven.session.state == "backoff"
    driven.wait()
    assert BACKOFF_FIRST / 2 <= driven.now - started - REGISTER_TIMEOUT <= BACKOFF_FIRST


def test_delays_grow_to_the_limit_and_end_with_master_lost() -> None:
    driven = Driven(reconnect_limit=60)
    begun, delays = driven.now, []
    while driven.session.state != "exited":
        before = driven.now
        driven.wait()
        if driven.session.state == "registering":
            delays.append(driven.now - before)
    assert driven.now - begun >= 60
    assert all(delay <= BACKOFF_LIMIT for delay in delays)
    assert delays[-2] > delays[0]


def test_pings_are_sent_and_a_silent_master_is_left_with_the_session_kept() -> None:
    driven = Driven()
    driven.register()
    driven.job(1)
    driven.job(2)
    assert driven.wait() == [wire.Heartbeat(7)]
    assert driven.wait() == [wire.Heartbeat(7)]
    assert driven.wait() == []
    assert driven.session.state == "backoff"
    opened, register = driven.wait()
    assert opened == Open()
    # The job that waited is the master's to give away.
    assert (register.session, register.offer.running) == (7, (RunningJob(1, 1),))
    assert driven.finish() == []
    assert driven.register(7) == [ok(1)]


def test_time_in_which_the_process_was_stopped_is_not_held_against_the_master() -> None:
    driven = Driven()
    driven.register()
    assert driven.wait(3600) == [wire.Heartbeat(7)]
    assert driven.session.state == "active"


def test_a_new_session_voids_what_is_left_of_the_old_one() -> None:
    driven = Driven()
    driven.register()
    driven.job(1)
    driven.session.message(wire.Heartbeat(7), driven.now)
    while driven.session.state != "registering":
        driven.wait()
    assert driven.register(8) == [CancelSlot(0)]
    assert driven.finish() == []
    assert driven.session.counters.unwanted == 1
    assert isinstance(driven.job(1, session=8)[0], Start)


def test_messages_of_other_sessions_and_repetitions_are_dropped_and_counted() -> None:
    driven = Driven()
    driven.register()
    assert driven.job(1, session=6) == []
    driven.job(1)
    assert driven.job(1) == []
    assert driven.hear(wire.Registered(7, TERMS)) == []
    counters = driven.session.counters
    assert (counters.foreign, counters.duplicates, counters.unexpected) == (1, 1, 1)


def test_what_cannot_be_started_is_answered() -> None:
    driven = Driven()
    driven.register()
    assert driven.job(1, service=2) == [answer(1, ResultCode.UNKNOWN_SERVICE)]
    assert driven.job(2, budget_ms=0) == [answer(2, ResultCode.EXPIRED)]
    driven.job(3)
    for number in range(4, 4 + 129):
        assert driven.job(number) == []
    assert driven.job(1000) == [answer(1000, ResultCode.RETURNED)]
    assert driven.finish(body=b"z" * 101)[0] == wire.Result(7, (3, 1), ResultCode.TOO_LARGE, 31, b"")


def test_cancelling() -> None:
    driven = Driven()
    driven.register()
    for number in (1, 2, 3):
        driven.job(number)

    def cancel(number: int, reason: CancelReason) -> "list[Any]":
        return driven.hear(wire.Cancel(7, (number, 1), reason))

    assert cancel(1, CancelReason.RECALLED) == []
    assert cancel(1, CancelReason.CALLER) == [CancelSlot(0)]
    assert cancel(1, CancelReason.DEADLINE) == []
    assert cancel(2, CancelReason.DEADLINE) == [answer(2, ResultCode.CANCELLED)]
    assert cancel(3, CancelReason.RECALLED) == [answer(3, ResultCode.RETURNED)]
    assert cancel(9, CancelReason.CALLER) == []


def test_told_to_leave_it_hands_back_what_waits_and_finishes_what_runs() -> None:
    driven = Driven()
    driven.register()
    driven.job(1)
    driven.job(2)
    driven.session.drain(driven.now)
    assert driven.out() == [wire.Drain(7), answer(2, ResultCode.RETURNED)]
    assert driven.job(3) == [answer(3, ResultCode.RETURNED)]
    assert driven.hear(wire.Drain(7)) == []
    *said, leave = driven.finish()
    assert said == [ok(1), wire.Disconnect(7, DisconnectReason.DRAINED)]
    assert leave.exit.cause == Cause.DRAINED


def test_with_nothing_to_do_it_hands_back_what_crossed_its_drain() -> None:
    driven = Driven()
    driven.register()
    driven.session.drain(driven.now)
    assert driven.out() == [wire.Drain(7)]
    assert driven.job(1) == [answer(1, ResultCode.RETURNED)]
    said, leave = driven.hear(wire.Drain(7))
    assert said == wire.Disconnect(7, DisconnectReason.DRAINED)
    assert leave.exit.cause == Cause.DRAINED


def test_a_drain_without_an_answer_ends_it_all_the_same() -> None:
    driven = Driven()
    driven.register()
    driven.session.drain(driven.now)
    told_at = driven.now
    driven.out()
    outputs = driven.wait(DRAIN_PATIENCE / 2)
    assert outputs == []
    assert driven.session.next_deadline == told_at + DRAIN_PATIENCE
    *_, said, leave = driven.wait()
    assert said == wire.Disconnect(7, DisconnectReason.DRAINED)
    assert leave.exit.cause == Cause.DRAINED


def test_dismissed_by_the_master_it_does_what_waits_first() -> None:
    driven = Driven()
    driven.register()
    driven.job(1)
    driven.job(2)
    assert driven.hear(wire.Drain(7)) == []
    assert driven.finish()[0] == ok(1)
    assert driven.finish()[:2] == [ok(2), wire.Disconnect(7, DisconnectReason.DRAINED)]


def test_told_to_leave_without_a_master_it_goes_at_once() -> None:
    driven = Driven()
    driven.out()
    driven.session.drain(driven.now)
    (leave,) = driven.out()
    assert isinstance(leave, Leave)


def test_refusals() -> None:
    full = wire.Rejected(0, RejectReason.TOO_MANY_WORKERS, Rejection("full"))
    driven = Driven()
    driven.out()
    assert driven.hear(full) == []
    assert driven.session.state == "backoff"
    final = wire.Rejected(0, RejectReason.INVALID_REGISTRATION, Rejection("why"))
    driven.wait()
    (leave,) = driven.hear(final)
    assert (leave.exit.code, leave.exit.message) == (78, "why")
    assert driven.session.next_deadline is None
