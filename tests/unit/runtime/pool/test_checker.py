"""The checker: which scripts it takes, and how it goes on after what ends its process."""

from typing import Any

import gevent
import pytest

from runtime.errors import RuntimeUnavailable
from runtime.frames import FrameError
from runtime.pool.checker import AHEAD_MAX, AHEAD_PER_SECOND, CHECKED_MAX, CHECKS_MAX, Checker


class Process:
    """Answers that a source is in order, unless it is one of those below."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.alive = True
        self.closed = False

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        source = message["check"]
        self.asked.append(source)
        if source == "crash":
            self.alive = False
            raise FrameError("closed")
        if source == "endless":
            gevent.sleep(60)
        return {"error": {"message": "no"}} if source == "broken" else {"checked": True}

    def discard_output(self) -> None: ...

    def kill(self) -> None:
        self.alive = False

    def close(self) -> None:
        self.closed = True


class Starter:
    def __init__(self) -> None:
        self.started: list[Process] = []
        self.now = 0.0
        self.refuses = False
        self.checker = Checker(self.start, lambda: self.now)

    def start(self) -> Process:
        if self.refuses:
            raise RuntimeUnavailable("no process can be started")
        self.started.append(Process())
        return self.started[-1]

    def passes(self, source: str) -> bool:
        return self.checker.in_order(source, source)


@pytest.fixture
def starter() -> Starter:
    return Starter()


def test_a_script_that_is_in_order_is_asked_about_once(starter: Starter) -> None:
    assert [starter.passes(source) for source in ("a", "a", "broken", "broken", "b")] == [
        *(True, True, False, False, True)
    ]
    (process,) = starter.started
    assert process.asked == ["a", "broken", "broken", "b"]
    assert not starter.passes("x" * (CHECKED_MAX + 1))
    assert not starter.checker.in_order("artifact", None)


def test_a_process_that_fails_is_replaced(starter: Starter) -> None:
    assert [starter.passes(source) for source in ("crash", "a")] == [False, True]
    starter.refuses, starter.started[1].alive = True, False
    with pytest.raises(RuntimeUnavailable):
        starter.passes("b")
    starter.refuses = False
    assert starter.passes("b")
    assert len(starter.started) == 3


def test_a_client_that_hangs_up_leaves_no_answer_for_the_next(starter: Starter) -> None:
    asking = gevent.spawn(starter.passes, "endless")
    gevent.idle()
    assert starter.started[0].asked == ["endless"]
    waiting = gevent.spawn(starter.passes, "a")
    gevent.idle()
    asking.kill()
    assert waiting.get(timeout=60)
    assert [process.alive for process in starter.started] == [False, True]
    gevent.idle()
    assert starter.started[0].closed


def test_a_check_that_takes_too_long_is_given_up(starter: Starter) -> None:
    assert [starter.passes(source) for source in ("endless", "a")] == [False, True]
    assert len(starter.started) == 2


def test_a_process_ends_after_many_checks(starter: Starter) -> None:
    for number in range(CHECKS_MAX + 1):
        assert starter.passes(str(number))
    assert [len(process.asked) for process in starter.started] == [CHECKS_MAX, 1]
    starter.checker.close()
    assert starter.started[1].closed


def test_few_scripts_a_second_are_loaded_ahead(starter: Starter) -> None:
    assert [starter.checker.loads_ahead() for _ in range(AHEAD_MAX + 2)] == [True] * AHEAD_MAX + [False] * 2
    starter.now += 1.5 / AHEAD_PER_SECOND
    assert [starter.checker.loads_ahead() for _ in range(2)] == [True, False]
    starter.now += 3600
    assert [starter.checker.loads_ahead() for _ in range(AHEAD_MAX + 1)] == [True] * AHEAD_MAX + [False]
