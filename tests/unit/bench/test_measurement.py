"""Figures made of what was counted."""

from bench.load import Load
from bench.measurement import cpu_per_request, of_load, ratios


def test_cpu_is_told_by_the_request() -> None:
    assert cpu_per_request({"controller": 0.15, "redis": 0.05}, 1000) == {
        "cpu controller": 150.0,
        "cpu redis": 50.0,
        "cpu all": 200.0,
    }


def test_without_requests_cpu_is_still_told() -> None:
    assert cpu_per_request({"controller": 1.0}, 0)["cpu all"] == 1_000_000


def test_throughput_is_compared_to_each_reference() -> None:
    references = {"yardstick-watchdog": {"rps": 100.0}, "constant": {"rps": 50.0}}

    assert ratios({"rps": 300.0}, references) == {"x yardstick": 3.0, "x constant": 6.0}


def test_all_errors_are_added_up_and_a_scenario_may_tell_more() -> None:
    load = Load(100, 2.0, 1, 2, 3, 5.0, 10.0, 20.0, {"slowest share": 0.7, "cpu load": 9.0})

    figures = of_load(load)

    assert figures["rps"] == 50.0
    assert figures["errors"] == 6
    assert figures["p99 / p50"] == 4.0
    assert (figures["slowest share"], figures["cpu load"]) == (0.7, 9.0)


def test_where_nothing_was_answered_there_is_no_ratio_of_latencies() -> None:
    assert "p99 / p50" not in of_load(Load(0, 1.0, 0, 0, 0, 0.0, 0.0, 0.0))
