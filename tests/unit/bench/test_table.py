"""The table."""

from bench.table import COLUMNS, table

FIGURES = {
    "rps": [100.0, 300.0, 200.0],
    "p50": [1.5],
    "errors": [0.0],
    "cpu controller": [150.4],
    "x yardstick": [6.25],
}


def test_a_row_has_the_medians_below_their_heads() -> None:
    lines = list(table([("cached", "execute, cached", FIGURES)]))
    heads = next(line for line in lines if line.startswith("scenario"))
    row = next(line for line in lines if line.startswith("cached"))

    def below(head: str, width: int) -> str:
        end = heads.index(head) + len(head)
        return row[end - width : end].strip()

    assert below("rps", 8) == "200"
    assert below("p50", 8) == "1.50"
    assert below("x yard", 7) == "6.25"
    assert row.endswith("execute, cached")


def test_what_a_scenario_does_not_tell_stays_empty() -> None:
    row = next(line for line in table([("a", "", {"rps": [1.0]})]) if line.startswith("a "))

    assert row.split() == ["a", "1"]


def test_titles_of_groups_stand_above_their_first_columns() -> None:
    upper, lower = table([])

    assert lower[upper.index("latency, ms") :].split()[0] == "p50"
    assert lower[upper.index("CPU") :].split()[0] == "contr"


def test_figures_have_one_column_each() -> None:
    assert len({column.figure for column in COLUMNS}) == len(COLUMNS)
