"""Kept greenlets: what a job sees of others, how it ends, and how few greenlets there are."""

import weakref
from contextvars import ContextVar
from functools import partial

import gevent
import pytest
from gevent import GreenletExit
from gevent.event import Event

from controller.execution.kept_greenlets import KeptGreenlets

MARK: ContextVar[str] = ContextVar("mark", default="none")


def slept(result: str) -> str:
    gevent.sleep(0.01)
    return result


class Result:
    """A result that may be large."""


def test_jobs_in_turn_share_a_greenlet() -> None:
    greenlets = KeptGreenlets(2)

    seen = {greenlets.start(gevent.getcurrent).get() for _ in range(5)}

    assert len(seen) == 1


def test_jobs_at_the_same_time_have_a_greenlet_each_and_few_of_them_stay() -> None:
    greenlets, go_on = KeptGreenlets(2), Event()

    def held() -> object:
        go_on.wait()
        return gevent.getcurrent()

    def used() -> set[object]:
        go_on.clear()
        jobs = [greenlets.start(held) for _ in range(5)]
        gevent.sleep(0)
        go_on.set()
        return {job.get() for job in jobs}

    before, after = used(), used()

    assert (len(before), len(after)) == (5, 5)
    assert len(before & after) == 2


def test_a_job_has_the_context_of_its_caller_and_leaves_none() -> None:
    greenlets = KeptGreenlets(1)
    MARK.set("first")
    greenlets.start(lambda: MARK.set("changed")).get()
    assert MARK.get() == "first"
    MARK.set("second")

    assert greenlets.start(MARK.get).get() == "second"


def test_a_failure_is_the_callers_and_the_greenlet_goes_on() -> None:
    greenlets = KeptGreenlets(1)

    def late() -> None:
        with gevent.Timeout(0.001):
            gevent.sleep(60)

    for work, error in ((lambda: 1 // 0, ZeroDivisionError), (late, gevent.Timeout)):
        with pytest.raises(error):
            greenlets.start(work).get()
    assert greenlets.start(lambda: "more").get() == "more"


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("begun", [False, True])
def test_a_killed_job_ends_and_no_other_one_does(warm: bool, begun: bool) -> None:
    greenlets, ended = KeptGreenlets(1), []
    if warm:
        greenlets.start(lambda: None).get()

    def work() -> None:
        try:
            gevent.sleep(60)
        finally:
            ended.append(True)

    job = greenlets.start(work)
    if begun:
        gevent.sleep(0)
    job.kill()
    other = greenlets.start(partial(slept, "other"))

    assert isinstance(job.get(), GreenletExit)
    assert other.get() == "other"
    assert ended == [True] * begun


def test_a_kill_that_comes_with_the_end_does_not_meet_the_next_job() -> None:
    greenlets, go_on = KeptGreenlets(1), Event()
    job = greenlets.start(go_on.wait)
    gevent.sleep(0)
    # Both come with the next pass of the loop: the end first, and then what kills.
    go_on.set()
    job.kill()
    with gevent.Timeout(10):
        job.get()
        for _ in range(2):
            assert greenlets.start(partial(slept, "whole")).get() == "whole"


def test_a_waiting_greenlet_keeps_no_result() -> None:
    greenlets = KeptGreenlets(1)
    made = [weakref.ref(greenlets.start(Result).get()) for _ in range(2)]
    gevent.sleep(0)

    assert [each() for each in made] == [None, None]
