"""Which scenarios are run, the plan that wrk is given, and what it prints."""

import pytest

from bench.run import restricted, selected
from bench.scenarios import GROUPS, Group
from bench.wrk import LoadError, Plan, measured


def names(groups: list[Group]) -> list[str]:
    return [scenario.name for group in groups for scenario in group.scenarios]


def test_all_of_them() -> None:
    assert names(selected(["*"])) == names(list(GROUPS))


def test_scenarios_have_names_of_their_own() -> None:
    found = names(list(GROUPS))
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("patterns", "run"),
    [
        (["half-warm-rust"], ["yardstick", "constant", "warm-rust", "half-warm-rust"]),
        (["rotation-python"], ["yardstick", "constant", "warm-python", "rotation-python"]),
        (["first-*", "connections"], ["first-python", "first-nodejs", "first-rust", "connections"]),
    ],
)
def test_one_brings_what_it_is_compared_to_in_the_order_of_the_runs(
    patterns: list[str], run: list[str]
) -> None:
    assert names(selected(patterns)) == run


def test_a_scenario_is_run_after_those_it_refers_to() -> None:
    seen: set[str] = set()
    for group in GROUPS:
        for scenario in group.scenarios:
            assert set(scenario.references) <= seen
            seen.add(scenario.name)


def test_groups_that_have_nothing_left_are_left_out() -> None:
    assert restricted(GROUPS, lambda scenario: scenario.name == "connections") == selected(["connections"])
    assert restricted(GROUPS, lambda _: False) == []


PLAN = Plan(
    paths=["/a", "/b"], headers={"X-One": "1", "X-Two": "2"}, before='{"text": "a\nb", "n": ', after="}"
)
OUTPUT = """\
Running 1s test @ http://127.0.0.1:1
  2 requests in 1.00s, 1.00KB read
measured {"requests": 5, "seconds": 1.5, "refused": 1, "wrong": 2, "broken": 3, "p50": 0.5, "p95": 0.75, "p99": 2}
"""


def test_what_wrk_printed_is_read() -> None:
    load = measured(OUTPUT)

    assert (load.requests, load.seconds, load.refused, load.wrong, load.broken) == (5, 1.5, 1, 2, 3)
    assert (load.p50, load.p95, load.p99) == (0.5, 0.75, 2)


def test_without_figures_there_is_an_error_with_what_was_said() -> None:
    with pytest.raises(LoadError, match="unable to connect"):
        measured("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_a_plan_is_a_table_of_lua() -> None:
    lines = PLAN.lua().splitlines()

    assert (lines[0], lines[-1]) == ("return {", "}")
    assert '   paths = "/a\\n/b",' in lines
    assert r'   headers = "X-One: 1\r\nX-Two: 2\r\n",' in lines
    assert r'   before = "{\"text\": \"a\nb\", \"n\": ",' in lines
    assert '   lines = {""},' in lines
    assert "   counts = true," in lines


def test_text_that_lua_would_read_otherwise_is_refused() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        Plan(paths=["/ä"], headers={}, before="", after="").lua()


def test_a_plan_anew_asks_for_other_numbers() -> None:
    again = PLAN.anew()

    assert again.first != PLAN.first
    assert (again.paths, again.before) == (PLAN.paths, PLAN.before)


def test_a_body_is_the_number_between_the_texts() -> None:
    assert PLAN.request(12) == ("/a", b'{"text": "a\nb", "n": 12}', "")
