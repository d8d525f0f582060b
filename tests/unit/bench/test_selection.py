"""Which scenarios are run."""

from bench.means import restricted, selected
from bench.scenarios import GROUPS, Group


def names(groups: list[Group]) -> list[str]:
    return [scenario.name for group in groups for scenario in group.scenarios]


def test_all_of_them() -> None:
    assert names(selected(["*"])) == names(list(GROUPS))


def test_scenarios_have_names_of_their_own() -> None:
    found = names(list(GROUPS))
    assert len(found) == len(set(found))


def test_one_brings_what_it_is_compared_to_in_the_order_of_the_runs() -> None:
    assert names(selected(["half-warm-rust"])) == ["yardstick", "constant", "warm-rust", "half-warm-rust"]


def test_one_may_refer_to_another_group() -> None:
    groups = selected(["rotation-python"])

    assert [group.name for group in groups] == ["throughput", "rotation"]
    assert names(groups) == ["yardstick", "constant", "warm-python", "rotation-python"]


def test_patterns() -> None:
    assert names(selected(["first-*", "connections"])) == [
        "first-python",
        "first-nodejs",
        "first-rust",
        "connections",
    ]


def test_a_scenario_is_run_after_those_it_refers_to() -> None:
    seen: set[str] = set()
    for group in GROUPS:
        for scenario in group.scenarios:
            assert set(scenario.references) <= seen
            seen.add(scenario.name)


def test_groups_that_have_nothing_left_are_left_out() -> None:
    assert restricted(GROUPS, lambda scenario: scenario.name == "connections") == selected(["connections"])
    assert restricted(GROUPS, lambda _: False) == []
