"""Workers over real sockets, with the master played by the test."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import handlers
import pytest
import zmq
from conftest import Running
from master import Master, eventually, listening

from powerhose import Cause, Worker
from powerhose.wire import CancelReason, RejectReason, ResultCode
from powerhose.wire import worker as wire
from powerhose.wire.control import Rejection

MODES = pytest.mark.parametrize("mode", ["thread", "process"])


@MODES
def test_it_registers_serves_and_drains(master: Master, run: Any, mode: str) -> None:
    worker: Running = run(mode=mode, slots=2)
    register = master.register()
    assert register.session == 0
    assert register.offer.slots == 2
    assert register.offer.pid == os.getpid()
    assert register.offer.implementation.startswith("powerhose-python/")
    for body in (b"", b"short", bytes(100_000)):
        assert master.do("echo", body) == (ResultCode.OK, body)
    assert master.do("describe", metadata=b"trace") == (ResultCode.OK, b"describe 1 b'trace'")
    assert master.do("fail", b"luck") == (ResultCode.FAILED, b"no luck")
    assert master.do("raise") == (ResultCode.PANICKED, b"KeyError: 'planted'")
    code, why = master.do("number")
    assert (code, b"not int" in why) == (ResultCode.PANICKED, True)
    code, pid = master.do("pid")
    assert (int(pid) == os.getpid()) == (mode == "thread")

    key = master.give("sleep", b"0.5")
    # Jobs come in order: by its result the one before has begun.
    assert master.do("echo", b"x") == (ResultCode.OK, b"x")
    worker.worker.drain()
    assert master.receive() == wire.Drain(master.session)
    assert master.result(key) == (ResultCode.OK, b"slept")
    master.expect_goodbye()
    assert worker.exit().cause == Cause.DRAINED


@MODES
def test_a_running_handler_is_told_that_nobody_waits(master: Master, run: Any, mode: str) -> None:
    run(mode=mode)
    master.register()
    key = master.give("wait")
    master.send(wire.Cancel(master.session, key, CancelReason.CALLER))
    assert master.result(key) == (ResultCode.CANCELLED, b"")
    key = master.give("wait", budget_ms=50)
    assert master.result(key)[0] == ResultCode.CANCELLED


def test_jobs_that_wait_are_cancelled_recalled_expired_or_handed_back(master: Master, run: Any) -> None:
    worker: Running = run()
    master.register()
    running = master.give("wait")
    expired = master.give("echo", budget_ms=1)
    cancelled, recalled, returned = (master.give("echo") for _ in range(3))
    master.send(wire.Cancel(master.session, cancelled, CancelReason.DEADLINE))
    assert master.result(cancelled) == (ResultCode.CANCELLED, b"")
    master.send(wire.Cancel(master.session, recalled, CancelReason.RECALLED))
    assert master.result(recalled) == (ResultCode.RETURNED, b"")
    time.sleep(0.01)
    worker.worker.drain()
    assert master.receive() == wire.Drain(master.session)
    assert master.result(expired) == (ResultCode.RETURNED, b"")
    assert master.result(returned) == (ResultCode.RETURNED, b"")
    master.send(wire.Cancel(master.session, running, CancelReason.CALLER))
    assert master.result(running) == (ResultCode.CANCELLED, b"")
    master.expect_goodbye()


def test_a_job_without_time_is_not_started(master: Master, run: Any) -> None:
    run()
    master.register()
    assert master.do("crash", budget_ms=0) == (ResultCode.EXPIRED, b"")


def test_a_result_beyond_the_limit_is_said_to_be_too_large(place: Path) -> None:
    with listening(place / "small", max_body=10) as master:
        worker = Running(Worker(handlers.everything, master.endpoint, services=handlers.SERVICES, handle_signals=False))
        master.register()
        assert master.do("echo", b"0123456789") == (ResultCode.OK, b"0123456789")
        assert master.do("echo", b"0123456789a") == (ResultCode.TOO_LARGE, b"")
        worker.worker.stop()
        assert worker.exit().code == 75


def test_pings_go_on_while_a_handler_runs(place: Path) -> None:
    with listening(place / "fast", heartbeat_ms=20) as master:
        worker = Running(Worker(handlers.everything, master.endpoint, services=handlers.SERVICES, handle_signals=False))
        master.register()
        key = master.give("sleep", b"0.5")
        assert master.result(key) == (ResultCode.OK, b"slept")
        assert master.pings >= 2
        worker.worker.stop()
        worker.exit()


def test_a_master_that_says_it_is_gone_is_left_and_its_successor_found(master: Master, run: Any) -> None:
    run()
    master.register()
    key = master.give("wait")
    master.send(wire.Disconnect(master.session, wire.DisconnectReason.SHUTDOWN))
    register = master.register(session=8)
    assert (register.session, register.offer.running) == (0, ())
    # The handler of the old session was told, and nobody hears of it.
    assert master.do("echo", b"x") == (ResultCode.OK, b"x")
    assert key[0] < master.job


def test_a_silent_master_is_asked_to_resume(place: Path) -> None:
    path = place / "restarted"
    with listening(path, heartbeat_ms=30, misses=3) as master:
        worker = Running(Worker(handlers.everything, master.endpoint, services=handlers.SERVICES, handle_signals=False))
        master.register(session=9)
        key = master.give("sleep", b"0.5")
        waiting = master.give("echo")
        # Nothing is read, so no ping is answered, until the worker has given up on the connection.
        time.sleep(0.3)
        message = master.receive()
        assert isinstance(message, wire.Register)
        assert (message.session, [tuple(each) for each in message.offer.running]) == (9, [key])
        master.send(wire.Registered(9, master.terms))
        assert master.result(key) == (ResultCode.OK, b"slept")
        assert master.do("echo", b"again") == (ResultCode.OK, b"again")
        assert waiting[0] == key[0] + 1
        worker.worker.stop()
        worker.exit()


def test_without_a_master_it_gives_up(place: Path) -> None:
    worker = Worker(handlers.square, f"ipc://{place}/nobody", reconnect_limit=0.2, handle_signals=False)
    exit = Running(worker).exit()
    assert (exit.cause, exit.code) == (Cause.MASTER_LOST, 69)


@pytest.mark.parametrize(("reason", "code"), [(RejectReason.INVALID_REGISTRATION, 78), (RejectReason.UNSUPPORTED_VERSION, 76)])
def test_a_refusal_for_good_ends_it(master: Master, run: Any, reason: RejectReason, code: int) -> None:
    worker: Running = run()
    assert isinstance(master.receive(), wire.Register)
    master.send(wire.Rejected(0, reason, Rejection("because", (1,))))
    exit = worker.exit()
    assert (exit.code, exit.message) == (code, "because")


def test_a_full_master_is_tried_again(master: Master, run: Any) -> None:
    run()
    for _ in range(2):
        assert isinstance(master.receive(), wire.Register)
        master.send(wire.Rejected(0, RejectReason.TOO_MANY_WORKERS, Rejection("full", (1,))))
    master.register()
    assert master.do("echo", b"x") == (ResultCode.OK, b"x")


def test_it_leaves_after_so_many_jobs(master: Master, run: Any) -> None:
    worker: Running = run(max_jobs=1)
    master.register()
    key = master.give("echo", b"x")
    assert master.receive() == wire.Drain(master.session)
    assert master.result(key) == (ResultCode.OK, b"x")
    master.expect_goodbye()
    assert worker.exit().cause == Cause.MAX_JOBS


def test_what_is_no_message_is_dropped(master: Master, run: Any) -> None:
    run()
    master.register()
    for frames in ([b""], [b"\x02" + bytes(27)], [b"\x01\x05" + bytes(10)], [b"x"] * 5):
        master.socket.send_multipart([master.peer, *frames])
    assert master.do("echo", b"x") == (ResultCode.OK, b"x")


def test_a_process_that_dies_fails_its_job_alone_and_is_replaced(master: Master, run: Any) -> None:
    run(mode="process", slots=2)
    master.register()
    other = master.give("sleep", b"0.5")
    crashed = master.give("crash")
    seen = [master.receive(), master.receive()]
    results = {each.key: (each.code, each.body) for each in seen if isinstance(each, wire.Result)}
    assert results == {
        crashed: (ResultCode.PANICKED, b"the process of the handler ended with signal 9"),
        other: (ResultCode.OK, b"slept"),
    }
    for _ in range(4):
        assert master.do("echo", b"x") == (ResultCode.OK, b"x")


def test_a_process_that_overruns_its_time_is_ended(master: Master, run: Any) -> None:
    run(mode="process", time_limit=0.1)
    master.register()
    assert master.do("sleep", b"3600") == (ResultCode.OVERRUN, b"")
    assert master.do("echo", b"x") == (ResultCode.OK, b"x")


def test_processes_that_do_not_come_up_are_an_error(place: Path) -> None:
    worker = Worker(_Unloadable(), f"ipc://{place}/nobody", mode="process", handle_signals=False)
    with pytest.raises(RuntimeError, match="end before they have begun"):
        worker.run()


class _Unloadable:
    def __call__(self, job: Any) -> bytes:
        return b""

    def __reduce__(self) -> Any:
        return (_refuse, ())


def _refuse() -> None:
    raise ImportError("planted")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"slots": 0}, "slots: 1 to 1024"),
        ({"services": ["no good"]}, "services: 'no good'"),
        ({"services": ["a", "a"]}, "named twice"),
        ({"services": "square"}, "a list of names"),
        ({"mode": "fork"}, "mode"),
        ({"time_limit": 1}, "threads cannot be ended"),
        ({"max_jobs": 0}, "at least 1"),
        ({"bind": "tcp://127.0.0.1:1"}, "only ipc://"),
        ({"reconnect_limit": -1}, "past"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Worker(handlers.square, "ipc:///tmp/x", **settings)


@pytest.mark.parametrize("endpoint", ["x", "tcp://127.0.0.1", "tcp://10.0.0.1:5", "ipc://", "ipc://" + "a" * 200])
def test_endpoints_that_cannot_be_are_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint|port|machine|socket|bytes"):
        Worker(handlers.square, endpoint)


def test_its_own_socket_is_where_jobs_come_and_results_go(master: Master, run: Any, place: Path) -> None:
    worker: Running = run(bind=f"ipc://{place}/own")
    register = master.register()
    assert register.offer.socket == f"{place}/own"
    with dealer_to(place / "own") as dealer:
        job = wire.Job(master.session, (1, 1), 0, 10_000, b"x", None)
        dealer.send_multipart(wire.encode(job))
        assert dealer.poll(60_000)
        answer = wire.decode_from_worker(dealer.recv_multipart())
        assert isinstance(answer, wire.Result)
        assert (answer.key, answer.body) == ((1, 1), b"x")
        worker.worker.drain()
        assert master.receive() == wire.Drain(master.session)
        assert dealer.poll(60_000)
        assert isinstance(wire.decode_from_worker(dealer.recv_multipart()), wire.Disconnect)
    worker.exit()
    eventually("the path is removed", lambda: not (place / "own").exists())
    assert not (place / "own.lock").exists()


@contextlib.contextmanager
def dealer_to(path: Path) -> "Iterator[Any]":
    context: zmq.Context[Any] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(f"ipc://{path}")
    yield socket
    socket.close()
    context.term()
