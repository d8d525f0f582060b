"""The checkout against its own last commit, for one short round: answers and a table, no times."""

from pathlib import Path

import pytest

from bench.command import git
from bench.compare import Work, compared, table
from local.supervisor.managed_process import PartError
from tests.conftest import missing


@pytest.fixture
def commit() -> str:
    try:
        return git("rev-parse", "HEAD")
    except (PartError, OSError) as reason:
        missing("no commit to compare with", reason)


def test_this_checkout_and_its_last_commit(commit: str, tmp_path: Path) -> None:
    works = [
        Work("warm-python", "python", requests=50),
        Work("warm-by-name", "python", requests=50, by_name=True),
    ]

    rows = compared(commit, works, rounds=1, folder=tmp_path)

    processes = ["controller", "front", "workers", "redis", "postgres", "all"]
    measured = [[work.name, process] for work in works for process in processes]
    assert [[row.scenario, row.process] for row in rows] == measured
    for total in rows[5::6]:
        for side in (total.base, total.new, total.same):
            assert len(side) == 1
            assert side[0] > 0
    lines = list(table(rows, bound=1.03))
    assert [line.split()[:2] for line in lines[1:-1]] == measured
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in git("worktree", "list")


def test_what_is_no_commit_is_said(tmp_path: Path, commit: str) -> None:
    with pytest.raises(PartError, match="git rev-parse failed"):
        compared("no-such-commit", [], rounds=1, folder=tmp_path)
