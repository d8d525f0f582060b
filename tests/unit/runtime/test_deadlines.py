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


def test_a_late_item_is_passed_once(deadlines: Deadlines[str], late: list[str]) -> None:
    deadlines.add("a", 0)
    until_greenlets(lambda: late == ["a"], "it is late")
    assert not deadlines.discard("a")


def test_an_earlier_deadline_that_is_added_later_comes_first(
    deadlines: Deadlines[str], late: list[str]
) -> None:
    for name in ("far", "near", "farther"):
        deadlines.add(name, 0.01 if name == "near" else FAR)
    until_greenlets(lambda: late == ["near"], "only the near one is late")
    assert deadlines.discard("far")


def test_deadlines_after_a_discarded_one_still_pass(deadlines: Deadlines[str], late: list[str]) -> None:
    deadlines.add("first", 0.01)
    deadlines.add("second", 0.03)
    assert deadlines.discard("first")
    until_greenlets(lambda: late == ["second"], "the second one is late")


def test_a_late_item_may_be_added_again(late: list[str]) -> None:
    def passed(name: str) -> None:
        late.append(name)
        if len(late) < len("abc"):
            made.add(name, FAR if name == "b" else 0.0)

    made: Deadlines[str] = Deadlines(passed)
    made.add("b", 0.01)
    made.add("a", 0.02)
    until_greenlets(lambda: late == ["b", "a", "a"], "a is late twice, in spite of the far time of b")
    made.close()


def test_a_new_deadline_replaces_the_old_one(deadlines: Deadlines[str], late: list[str]) -> None:
    deadlines.add("a", 0.0)
    deadlines.add("a", FAR)
    deadlines.add("mark", 0.01)
    until_greenlets(lambda: late == ["mark"], "the mark is late and a is not")


def test_no_item_is_late_after_close(deadlines: Deadlines[str], late: list[str]) -> None:
    deadlines.add("a", 0.0)
    deadlines.close()
    deadlines.add("mark", 0.01)
    until_greenlets(lambda: late == ["mark"], "the mark is late, and what was there before never")
