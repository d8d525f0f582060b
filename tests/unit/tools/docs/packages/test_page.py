"""docs/packages.md: each call has a row, and most work."""

import re

import pytest

from local.state import ROOT
from tools.docs.packages.calls import Call, calls
from tools.docs.packages.page import Row, page

CALL = Call("shapes", "computes an area", "result = 1", 1)


def rows(title: str) -> list[list[str]]:
    """The cells of a table of the page."""
    section = re.split(r"^### ", (ROOT / "docs" / "packages.md").read_text(), flags=re.MULTILINE)
    table = next(part for part in section if part.startswith(title))
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize(
    ("language", "title", "tried", "working"), [("python", "Python", 100, 95), ("nodejs", "Node.js", 60, 55)]
)
def test_the_page_has_each_call(language: str, title: str, tried: int, working: int) -> None:
    table = rows(title)
    assert [(row[0], row[2]) for row in table] == [
        (f"`{call.package}`", call.does) for call in calls(language)
    ], "run make packages-table"
    assert len(table) >= tried
    assert sum(row[3] == "works" for row in table) >= working


def test_each_row_has_a_version() -> None:
    assert [row[0] for title in ("Python", "Node.js") for row in rows(title) if not row[1]] == []


def test_a_reason_is_one_cell_in_one_line() -> None:
    row = Row(CALL, "1.2.3", "exception: ValueError: a | b\nsecond line")
    assert "| `shapes` | 1.2.3 | computes an area | exception: ValueError: a \\| b second line |\n" in page(
        "", {"Python": [row]}
    )


def test_a_reason_follows_what_the_call_needs() -> None:
    call = Call("shapes", "computes an area", "result = 1", 1, needs="a process")
    assert "| needs a process: crashed |" in page("", {"Python": [Row(call, "1.2.3", "crashed")]})


def test_the_heading_counts_what_works() -> None:
    assert "1 of 2 work." in page("", {"Python": [Row(CALL, "1.2.3", ""), Row(CALL, "1.2.3", "crashed")]})


def test_the_text_above_the_tables_stays() -> None:
    first = page("how to\n", {"Python": [Row(CALL, "1.2.3", "")]})
    assert first.startswith("how to\n## What works\n")
    assert page(first, {"Python": [Row(CALL, "1.2.3", "")]}) == first
