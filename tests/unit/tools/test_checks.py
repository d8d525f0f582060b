"""The checks: words, groups of tests, stack.yml, and how the hostile suite is started."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.state import ROOT
from local.supervisor.account import Account
from tools.checks import hostile, plain_words
from tools.checks.hostile import SUITE, ClosedInterpreter, readable_checkout
from tools.checks.suite import APART, GROUPS, RUN_FOLDER, command, run


def test_each_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("Nobody knows.\nA folder of its\nown; the ones there; whoseness.\n")

    assert plain_words.places(tmp_path, ["page.md"]) == ["page.md:1: Nobody", "page.md:2: of its own"]


SCHEMA = ROOT / "tools" / "checks" / "stack.schema.json"
STACK = (ROOT / "stack.yml").read_text()
#: What is written, the mistake in its place, and the path that the checker names.
MISTAKES = [
    ("readonly_root_filesystem:", "read_only_root_filesystem:", "$.functions.initialize"),
    ("configuration:\n", "configurations:\n", "$"),
    ("  copy:", "  copies:", "$.configuration"),
    ("  gateway:", "  url:", "$.provider"),
    ("      memory: 128Mi", "      mem: 128Mi", "$.functions.initialize.requests"),
    ("      memory: 128Mi", "      memory: 128M", "$.functions.initialize.requests.memory"),
    ('METRICS_PORT: "9090"', "METRICS_PORT: 9090", "$.functions.initialize.environment.METRICS_PORT"),
    ('scale.max: "5"', 'scale.max: "6"', "$.functions.initialize.labels['com.openfaas.scale.max']"),
    ('com.openfaas.scale.factor: "20"', 'com.openfaas.scale.zero: "true"', "$.functions.initialize.labels"),
    (
        "    build_args: &controller-build\n      LIBRARY: controller",
        "    build_args: &controller-build\n      - LIBRARY=controller",
        "$.functions.initialize.build_args",
    ),
]
SIXTEEN = STACK + "".join(f"  f{n}: {{lang: x, handler: ./f, image: f:1}}\n" for n in range(8))
NOT_YAML = STACK.replace("version: 1.0", "version: [", 1)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one run of the checker says of all mistaken files, which are named by their number."""
    folder = tmp_path_factory.mktemp("stacks")
    texts = [STACK.replace(written, mistaken, 1) for written, mistaken, _ in MISTAKES]
    files = [folder / f"{number}.yml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    (folder / "sixteen.yml").write_text(SIXTEEN)
    (folder / "not-yaml.yml").write_text(NOT_YAML)
    done = _check(*sorted(folder.iterdir()), "--output-format", "json")
    assert done.returncode == 1, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _check(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", SCHEMA, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _paths(report: dict[str, Any], name: str) -> list[str]:
    return [error["path"] for error in report["errors"] if Path(error["filename"]).name == name]


def test_ours_has_no_mistake() -> None:
    assert _check(ROOT / "stack.yml").returncode == 0


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[mistaken for _, mistaken, _ in MISTAKES])
def test_a_mistake_is_reported_with_its_path(report: dict[str, Any], number: int) -> None:
    written, _, path = MISTAKES[number]
    assert written in STACK

    assert path in _paths(report, f"{number}.yml")


def test_a_sixteenth_function_is_too_many(report: dict[str, Any]) -> None:
    assert _paths(report, "sixteen.yml") == ["$.functions"]


def test_a_file_that_is_not_yaml_is_refused(report: dict[str, Any]) -> None:
    assert [Path(error["filename"]).name for error in report["parse_errors"]] == ["not-yaml.yml"]


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


@dataclass(frozen=True)
class Sighted(Account):
    """Reads everything, as an account does on a machine where nothing is closed."""

    def reads(self, path: Path) -> bool:
        return True


@dataclass(frozen=True)
class Blind(Account):
    """Reads nothing, as an account does of what lies in root's home."""

    def reads(self, path: Path) -> bool:
        return False


OWN = Sighted("", 1000, 1000, foreign=False)
OTHER = Sighted("nobody", 65534, 65534, foreign=True)
BLIND = Blind("nobody", 65534, 65534, foreign=True)


@pytest.mark.parametrize("account", [OWN, OTHER], ids=["own", "other"])
def test_rights_are_given_up_by_whoever_starts_it(account: Account) -> None:
    options = hostile.command(account, [])
    assert {"--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"} <= set(options)


def test_root_becomes_somebody_else_and_others_stay_who_they_are() -> None:
    assert {"--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"} <= set(
        hostile.command(OTHER, [])
    )
    assert not any(option.startswith("--reuid") for option in hostile.command(OWN, []))


def test_pytest_gets_the_arguments() -> None:
    assert hostile.command(OWN, ["-k", "fork"])[-3:] == [SUITE, "-k", "fork"]


def test_a_python_that_the_account_cannot_run_is_named() -> None:
    with pytest.raises(ClosedInterpreter, match="closed to nobody"):
        hostile.command(BLIND, [])


def test_a_checkout_that_can_be_read_is_used_as_it_is(tmp_path: Path) -> None:
    assert readable_checkout(OTHER, tmp_path) == ROOT


def test_behind_a_closed_door_a_fresh_copy_is_used(tmp_path: Path) -> None:
    copy = readable_checkout(BLIND, tmp_path)
    copy.joinpath("stale").touch()
    assert readable_checkout(BLIND, tmp_path) == copy
    assert {"pyproject.toml", "runtime", "tests"} <= {path.name for path in copy.iterdir()}
    assert not {"stale", ".git", ".local"} & {path.name for path in copy.iterdir()}
