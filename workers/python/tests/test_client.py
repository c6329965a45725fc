"""Clients over real sockets, with the master's frontend played by the test."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from frontend import Frontend, fronting

from powerhose import Client, ExecuteError, aio, errors
from powerhose.wire import DisconnectReason, RejectReason
from powerhose.wire import client as wire
from powerhose.wire.codes import OutcomeCode, Started
from powerhose.wire.control import Rejection
from powerhose.wire.worker import Disconnect, Drain, Rejected


@pytest.fixture
def frontend(place: Path) -> "Iterator[Frontend]":
    with fronting(place / "front") as frontend:
        yield frontend


@pytest.fixture
def client(frontend: Frontend) -> "Iterator[Client]":
    with Client(frontend.endpoint) as client:
        yield client


def test_it_opens_submits_and_gets_its_result(frontend: Frontend, client: Client) -> None:
    opened = frontend.open()
    assert (opened.session, opened.pid) == (0, os.getpid())
    assert opened.implementation.startswith("powerhose-python/")
    future = client.submit(b"12", service="square", timeout=5, metadata=b"trace", attempt_timeout=0.25)
    job = frontend.job()
    assert (job.job, job.service, job.body, job.metadata) == (1, "square", b"12", b"trace")
    assert (job.attempts, job.at_most_once, job.attempt_timeout_ms) == (3, False, 250)
    assert 0 < job.budget_ms <= 5000
    frontend.reply(job, body=b"144")
    assert future.result(60) == b"144"


def test_replies_find_their_jobs_in_any_order(frontend: Frontend, client: Client) -> None:
    futures = [client.submit(str(number).encode()) for number in range(50)]
    frontend.open()
    jobs = [frontend.job() for _ in futures]
    assert [job.job for job in jobs] == sorted(job.job for job in jobs)
    for job in reversed(jobs):
        frontend.reply(job, body=job.body * 2)
    assert [future.result(60) for future in futures] == [str(number).encode() * 2 for number in range(50)]


@pytest.mark.parametrize(
    ("code", "started", "kind", "fault", "retryable"),
    [
        (OutcomeCode.OVERLOADED, Started.NO, errors.Overloaded, "operator", True),
        (OutcomeCode.NO_WORKERS, Started.NO, errors.NoWorkers, "operator", True),
        (OutcomeCode.DEADLINE_EXCEEDED, Started.MAYBE, errors.DeadlineExceeded, "operator", True),
        (OutcomeCode.WORKER_LOST, Started.MAYBE, errors.WorkerLost, "operator", True),
        (OutcomeCode.ATTEMPTS_TIMED_OUT, Started.MAYBE, errors.AttemptsTimedOut, "worker", True),
        (OutcomeCode.POISON, Started.MAYBE, errors.Poison, "worker", False),
        (OutcomeCode.PAYLOAD_TOO_LARGE, Started.NO, errors.PayloadTooLarge, "caller", False),
        (OutcomeCode.RESULT_TOO_LARGE, Started.FINISHED, errors.ResultTooLarge, "worker", False),
        (OutcomeCode.OVERRUN, Started.MAYBE, errors.HandlerOverrun, "worker", False),
        (OutcomeCode.ABANDONED, Started.FINISHED, errors.Abandoned, "worker", False),
        (OutcomeCode.SHUTTING_DOWN, Started.NO, errors.ShuttingDown, "operator", True),
        (OutcomeCode.FAILED, Started.FINISHED, errors.JobFailed, "worker", False),
        (OutcomeCode.PANICKED, Started.FINISHED, errors.Panicked, "worker", False),
    ],
)
def test_failures_say_whose_fault_it_is(
    frontend: Frontend, client: Client, code: OutcomeCode, started: Started, kind: Any, fault: str, retryable: bool
) -> None:
    future = client.submit(b"")
    frontend.open()
    body = b"why" if issubclass(kind, errors.JobFailed) else b""
    frontend.reply(frontend.job(), code, body, started=started, detail=250)
    error = future.exception(60)
    assert type(error) is kind
    assert isinstance(error, ExecuteError)
    assert (error.code, error.fault, error.started) == (code.label, fault, started.label)
    assert error.retryable == retryable
    assert error.retry_after == (0.25 if kind is errors.Overloaded else None)
    if isinstance(error, errors.JobFailed):
        assert error.message == b"why"


def test_no_more_are_under_way_than_the_terms_allow(place: Path) -> None:
    with fronting(place / "narrow", max_jobs=2) as frontend, Client(frontend.endpoint) as client:
        futures = [client.submit(b"x") for _ in range(3)]
        frontend.open()
        first, second = frontend.job(), frontend.job()
        assert not frontend.socket.poll(100)
        frontend.reply(first)
        futures[0].result(60)
        third = frontend.job()
        frontend.reply(second)
        frontend.reply(third)
        for future in futures:
            future.result(60)


def test_a_payload_beyond_the_limit_is_not_sent(frontend: Frontend, client: Client) -> None:
    frontend.open()
    with pytest.raises(errors.PayloadTooLarge):
        client.execute(bytes(1001))
    with pytest.raises(errors.InvalidService):
        client.execute(b"", service="no good")
    with pytest.raises(errors.MetadataTooLarge):
        client.execute(b"", metadata=bytes(9000))


def test_cancelling_withdraws(frontend: Frontend, client: Client) -> None:
    frontend.open()
    future = client.submit(b"x")
    job = frontend.job()
    assert future.cancel()
    assert frontend.receive() == wire.Withdraw(7, job.job)
    frontend.reply(job, OutcomeCode.WITHDRAWN, started=Started.MAYBE)
    other = client.submit(b"y")
    frontend.reply(frontend.job(), body=b"z")
    assert other.result(60) == b"z"


def test_a_deadline_is_kept_without_the_master(frontend: Frontend, client: Client) -> None:
    frontend.open()
    future = client.submit(b"x", timeout=0.1)
    job = frontend.job()
    error = future.exception(60)
    assert isinstance(error, errors.DeadlineExceeded)
    assert error.started == "maybe"
    assert frontend.receive() == wire.Withdraw(7, job.job)


def test_without_a_master_a_job_ends_at_its_deadline(place: Path) -> None:
    with Client(f"ipc://{place}/nobody") as client:
        with pytest.raises(errors.MasterLost) as lost:
            client.execute(b"x", timeout=0.1)
        assert (lost.value.started, lost.value.code) == ("no", "master-lost")


def test_jobs_of_a_lost_session_are_submitted_again_unless_they_must_not(frontend: Frontend, client: Client) -> None:
    frontend.open()
    again, once, last = client.submit(b"again"), client.submit(b"once", at_most_once=True), client.submit(b"last", attempts=1)
    for _ in range(3):
        frontend.job()
    frontend.send(Disconnect(7, DisconnectReason.SHUTDOWN))
    assert frontend.open(session=8).session == 0
    job = frontend.job()
    assert (job.session, job.body, job.attempts) == (8, b"again", 2)
    frontend.reply(job, body=b"done")
    assert again.result(60) == b"done"
    for future in (once, last):
        error = future.exception(60)
        assert isinstance(error, errors.MasterLost)
        assert error.started == "maybe"


def test_a_broken_connection_is_resumed(place: Path) -> None:
    path = place / "resumed"
    with fronting(path, heartbeat_ms=30, misses=5) as frontend, Client(frontend.endpoint) as client:
        frontend.open()
        first, second, third = client.submit(b"1"), client.submit(b"2"), client.submit(b"3")
        jobs = [frontend.job() for _ in range(3)]
        frontend.reply(jobs[0], body=b"one")
        assert first.result(60) == b"one"
        # Nothing is read, so no ping is answered, until the client has given up on the connection.
        time.sleep(0.4)
        opened = frontend.receive()
        assert isinstance(opened, wire.Open)
        assert (opened.session, opened.received) == (7, 1)
        # The third one got lost on the way.
        frontend.send(wire.Opened(7, submitted=2, **frontend.terms))
        frontend.reply(jobs[1], body=b"two")
        assert second.result(60) == b"two"
        job = frontend.job()
        assert (job.job, job.body, job.attempts) == (3, b"3", 3)
        frontend.reply(job, body=b"three")
        assert third.result(60) == b"three"


def test_the_next_master_is_tried_where_one_refuses(place: Path) -> None:
    with fronting(place / "one") as first, fronting(place / "two") as second, Client([first.endpoint, second.endpoint]) as client:
        future = client.submit(b"x")
        assert isinstance(first.receive(), wire.Open)
        first.send(Rejected(0, RejectReason.DRAINING, Rejection("draining")))
        second.open()
        second.reply(second.job(), body=b"y")
        assert future.result(60) == b"y"


def test_a_draining_master_gets_nothing_more(frontend: Frontend, client: Client) -> None:
    frontend.open()
    due = client.submit(b"due")
    job = frontend.job()
    frontend.send(Drain(7))
    # Answered in order, so the client has read DRAIN by its next ping at the latest.
    frontend.reply(job, body=b"done")
    assert due.result(60) == b"done"
    later = client.submit(b"later")
    assert frontend.open(session=8).session == 0
    frontend.reply(frontend.job(), body=b"there")
    assert later.result(60) == b"there"


def test_replies_are_acknowledged(place: Path) -> None:
    with fronting(place / "many", max_jobs=1000, heartbeat_ms=3_600_000) as frontend, Client(frontend.endpoint) as client:
        frontend.open()
        futures = [client.submit(b"") for _ in range(300)]
        for _ in futures:
            frontend.reply(frontend.job())
        for future in futures:
            future.result(60)
        last = client.submit(b"")
        frontend.reply(frontend.job())
        last.result(60)
        assert frontend.received == 256


def test_closed_it_says_goodbye_and_fails_what_is_left(frontend: Frontend) -> None:
    client = Client(frontend.endpoint)
    frontend.open()
    future = client.submit(b"x")
    frontend.job()
    client.close()
    assert isinstance(future.exception(60), errors.ShuttingDown)
    assert frontend.receive() == Disconnect(7, DisconnectReason.SHUTDOWN)
    with pytest.raises(errors.ShuttingDown):
        client.execute(b"x")


def test_a_forked_process_is_told(frontend: Frontend, client: Client) -> None:
    child = os.fork()
    if child == 0:
        try:
            client.execute(b"x", timeout=1)
        except errors.Forked as error:
            os._exit(0 if "after the fork" in str(error) else 2)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_too_many_pending_jobs_are_refused_at_once(frontend: Frontend) -> None:
    with Client(frontend.endpoint, max_pending=2) as client:
        client.submit(b"")
        client.submit(b"")
        with pytest.raises(errors.Overloaded):
            client.submit(b"")


def test_asyncio_tasks_wait_and_cancel(frontend: Frontend) -> None:
    async def play() -> None:
        async with aio.Client(frontend.endpoint) as client:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, frontend.open)
            tasks = [asyncio.ensure_future(client.execute(str(number).encode())) for number in range(20)]
            for _ in tasks:
                job = await loop.run_in_executor(None, frontend.job)
                frontend.reply(job, body=job.body)
            assert await asyncio.gather(*tasks) == [str(number).encode() for number in range(20)]
            task = asyncio.ensure_future(client.execute(b"x"))
            job = await loop.run_in_executor(None, frontend.job)
            task.cancel()
            assert await loop.run_in_executor(None, frontend.receive) == wire.Withdraw(7, job.job)

    asyncio.run(play())
