"""Many deadlines on one timer."""

from collections.abc import Iterator

import pytest

from runtime.deadlines import Deadlines
from tests.waiting import until_greenlets

FAR = 3600.0


@pytest.fixture
def late() -> list[str]:
    return []


@pytest.fixture
def deadlines(late: list[str]) -> Iterator[Deadlines[str]]:
    made: Deadlines[str] = Deadlines(late.append)
    yield made
    made.close()


def test_what_is_late_is_handed_over_once(deadlines: Deadlines[str], late: list[str]) -> None:
    deadlines.add("a", 0)
    until_greenlets(lambda: late == ["a"], "it is late")
    assert not deadlines.discard("a")


def test_an_earlier_one_that_comes_later_is_not_held_up(deadlines: Deadlines[str], late: list[str]) -> None:
    for name in ("far", "near", "farther"):
        deadlines.add(name, 0.01 if name == "near" else FAR)
    until_greenlets(lambda: late == ["near"], "only the near one is late")
    assert deadlines.discard("far")


def test_those_behind_one_that_was_in_time_are_not_forgotten(
    deadlines: Deadlines[str], late: list[str]
) -> None:
    deadlines.add("first", 0.01)
    deadlines.add("second", 0.03)
    assert deadlines.discard("first")
    until_greenlets(lambda: late == ["second"], "the second one is late")


def test_one_that_is_handed_over_may_come_again(late: list[str]) -> None:
    def passed(name: str) -> None:
        late.append(name)
        if len(late) < len("abc"):
            made.add(name, FAR if name == "b" else 0.0)

    made: Deadlines[str] = Deadlines(passed)
    made.add("b", 0.01)
    made.add("a", 0.02)
    until_greenlets(lambda: late == ["b", "a", "a"], "a is late twice, in spite of the far time of b")
    made.close()


def test_a_new_time_takes_the_place_of_the_old_one(deadlines: Deadlines[str], late: list[str]) -> None:
    deadlines.add("a", 0.0)
    deadlines.add("a", FAR)
    deadlines.add("mark", 0.01)
    until_greenlets(lambda: late == ["mark"], "the mark is late and a is not")


def test_nothing_is_late_after_the_end(deadlines: Deadlines[str], late: list[str]) -> None:
    deadlines.add("a", 0.0)
    deadlines.close()
    deadlines.add("mark", 0.01)
    until_greenlets(lambda: late == ["mark"], "the mark is late, and what was there before never")
