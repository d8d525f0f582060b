"""The groups hold every test once, and a group that fails is heard."""

import sys
from pathlib import Path

import pytest

from local.state import ROOT
from tools.checks.suite import APART, GROUPS, RUN_FOLDER, command, run


def files(paths: list[str]) -> set[Path]:
    """Return the test files that pytest finds below paths."""
    found: set[Path] = set()
    for path in paths:
        place = ROOT / path
        found |= {place} if place.is_file() else set(place.rglob("test_*.py"))
    return found


def test_every_test_is_in_one_group_or_has_a_command_of_its_own() -> None:
    met: list[Path] = []
    for group, paths in GROUPS.items():
        ignored = [word.removeprefix("--ignore=") for word in command(group) if word.startswith("--ignore=")]
        met += files(list(paths)) - files(ignored)

    assert len(met) == len(set(met))
    assert files(["tests"]) - set(met) == files(list(APART))


def test_all_pass_only_if_each_does(capsys: pytest.CaptureFixture[str]) -> None:
    good = [sys.executable, "-c", "print('first'); print('3 passed')"]
    bad = [sys.executable, "-c", "import sys; print('what failed'); print('1 failed'); sys.exit(1)"]

    assert run({"good": good}, jobs=1)
    assert not run({"bad": bad, "good": good}, jobs=2)

    said = capsys.readouterr().out.splitlines()
    assert sorted(said) == sorted(["good: 3 passed", "what failed", "1 failed", "good: 3 passed"])


def test_the_groups_of_a_run_share_a_folder(tmp_path: Path) -> None:
    told = tmp_path / "told"
    tell = f"import os; open({str(told)!r}, 'a').write(os.environ[{RUN_FOLDER!r}] + chr(10))"

    assert run({name: [sys.executable, "-c", tell] for name in ("one", "other")}, jobs=1)

    one, other = told.read_text().splitlines()
    assert one == other
