"""The client's core, with time as an argument."""

import math
import random

from powerhose import errors
from powerhose.client.core import Core, Done, Job
from powerhose.wire import client as wire
from powerhose.wire.codes import OutcomeCode, Started
from powerhose.worker.session.reconnect import Reconnect

SESSION = 7


def opened() -> Core:
    core = Core(wire.Open(0), ["ipc:///master"], Reconnect(math.inf, random.Random(1), 0.0), 0.0)
    core.message(wire.Opened(SESSION, 10_000, 3, 1024, 5000, 16, 1 << 20), 0.0)
    core.submit(1, Job("square", b"12", None, 1.0, 3, False, None), 0.0)
    core.outputs.clear()
    return core


def outcomes(core: Core) -> list[Done]:
    return [output for output in core.outputs if isinstance(output, Done)]


def test_a_master_that_is_there_may_say_a_little_later_what_became_of_a_job() -> None:
    core = opened()
    core.tick(1.0)
    assert outcomes(core) == []
    core.message(wire.Reply(SESSION, 1, OutcomeCode.NO_WORKERS, Started.NO, 0, 0, b""), 1.05)
    (done,) = outcomes(core)
    assert isinstance(done.outcome, errors.NoWorkers)


def test_what_a_master_does_not_tell_then_the_client_tells_itself() -> None:
    core = opened()
    core.tick(1.0)
    due = core.next_deadline
    assert due == 1.1
    core.tick(due)
    (done,) = outcomes(core)
    assert isinstance(done.outcome, errors.DeadlineExceeded)


def test_without_a_master_a_job_fails_at_its_deadline() -> None:
    core = Core(wire.Open(0), ["ipc:///master"], Reconnect(math.inf, random.Random(1), 0.0), 0.0)
    core.submit(1, Job("square", b"12", None, 1.0, 3, False, None), 0.0)
    core.tick(1.0)
    (done,) = outcomes(core)
    assert isinstance(done.outcome, errors.MasterLost)
