"""Which version a reference names, and how a canary splits requests."""

import pytest

from controller.models.registered import now
from controller.models.stored import Alias, FunctionTargets
from controller.registry.references import Asker, Choice, choose, point_of

REQUESTS = 10_000


def targets(**aliases: Alias) -> FunctionTargets:
    return FunctionTargets("id", "alice", 7, now(), aliases)


@pytest.mark.parametrize(
    ("selector", "choice"),
    [
        ("", Choice(7, "newest")),
        ("3", Choice(3, "version")),
        ("beta", Choice(2, "alias")),
        ("none", None),
        ("live", None),
    ],
)
def test_a_reference_names_one_version(selector: str, choice: Choice | None) -> None:
    assert choose(targets(beta=Alias(2)), selector) == choice


def test_live_counts_where_nothing_is_said() -> None:
    assert choose(targets(live=Alias(4)), "") == Choice(4, "live")
    assert choose(targets(live=Alias(4)), "live") == Choice(4, "alias")


@pytest.mark.parametrize("weight", [0.0, 0.1, 0.5, 1.0])
def test_a_canary_gets_its_share_of_the_requests(weight: float) -> None:
    live = targets(live=Alias(1, 2, weight))
    sides = [choose(live, "", Asker("alice", f"request-{number}")) for number in range(REQUESTS)]
    canaries = sides.count(Choice(2, "live", "canary"))
    assert abs(canaries / REQUESTS - weight) <= 0.01
    assert canaries + sides.count(Choice(1, "live")) == REQUESTS


def test_a_request_keeps_its_side_and_users_have_their_own() -> None:
    points = [point_of(Asker("alice", f"{number}")) for number in range(100)]
    assert points == [point_of(Asker("alice", f"{number}")) for number in range(100)]
    assert points != [point_of(Asker("bob", f"{number}")) for number in range(100)]
    assert all(0 <= point < 1 for point in points)


def test_what_is_read_and_not_run_takes_the_main_side() -> None:
    assert choose(targets(live=Alias(1, 2, 1.0)), "") == Choice(1, "live")
