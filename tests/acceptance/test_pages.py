"""The commands of pages that use a running service do what the pages say, and so does `make demo`."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from local.demo import EXAMPLES, FASTER, SPLIT, Example, renewal, row
from local.demo import Client as Demo
from local.settings import PORTS
from tests.acceptance.client import ALL_SCOPES, Client
from tests.acceptance.deployment import Deployment
from tests.conftest import ROOT, missing
from tests.waiting import until

PAGES = (
    "README.md",
    "docs/using.md",
    "docs/functions.md",
    "docs/keys.md",
    "docs/history.md",
    "CONTRIBUTING.md",
)
#: Variables that a page sets for its reader. The test sets them for the service under test.
SET_BY_TEST = ("URL", "AUTH", "ID")
#: Stands for the rest of a text, in what a page prints.
CUT = "…"
#: Fields that differ from run to run.
VARYING = ("execution_time", "created_at", "updated_at", "expires_at", "last_executed_at")


class Step(NamedTuple):
    """One command, and the answer that the page prints below it."""

    command: str
    printed: str


def steps(page: str) -> Iterator[Step]:
    """Yield the commands of all blocks that call curl or prepare such a call."""
    for block in re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        if "$URL" not in block and "URL=" not in block:
            continue
        for command, printed in re.findall(r"^((?:[^#\n].*\n)(?:[ ].*\n)*)((?:#.*\n)*)", block, re.MULTILINE):
            answer = "".join(line.removeprefix("#").strip() for line in printed.splitlines())
            yield Step(command, answer if answer[:1] in {"{", "2"} else "")


def differences(printed: Any, answered: Any, place: str = "") -> Iterator[str]:
    """Yield the places where an answer does not have the shape and the constant values of the printed one."""
    if type(printed) is not type(answered):
        yield f"{place}: {answered!r} instead of {printed!r}"
    elif isinstance(printed, dict):
        if printed.keys() != answered.keys():
            yield f"{place}: {sorted(answered)} instead of {sorted(printed)}"
        for name in printed.keys() & answered.keys():
            if name not in VARYING or type(printed[name]) is not type(answered[name]):
                yield from differences(printed[name], answered[name], f"{place}/{name}")
    elif isinstance(printed, list):
        if len(printed) != len(answered):
            yield f"{place}: {len(answered)} items instead of {len(printed)}"
        for index, (one, other) in enumerate(zip(printed, answered, strict=False)):
            yield from differences(one, other, f"{place}/{index}")
    elif printed != answered and not (isinstance(printed, str) and CUT in printed):
        yield f"{place}: {answered!r} instead of {printed!r}"


class Shell:
    """Runs the commands of a page in order, as a reader would, against the service of a client.

    Args:
        client: its address and token take the place of those on the page.
        folder: the working directory.
    """

    def __init__(self, client: Client, folder: Path) -> None:
        self._variables = {"URL": client.url, "AUTH": f"Authorization: Bearer {client.token}", "ID": ""}
        self._prepared = ""
        self._folder = folder

    def run(self, step: Step) -> str:
        """Return what a command prints. An assignment is kept for the commands after it."""
        name = re.match(r"[A-Z]+(?==)", step.command)
        if name is not None:
            self._prepared += "" if name[0] in SET_BY_TEST else step.command
            return ""
        done = subprocess.run(
            ["bash", "-euc", self._prepared + step.command],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"} | self._variables,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=120,
            check="curl" in step.command,
        )
        if "/initialize" in step.command:
            self._variables["ID"] = json.loads(done.stdout).get("request_id", self._variables["ID"])
        return done.stdout

    def prints(self, step: Step) -> bool:
        """Say whether a command prints anything."""
        return self.run(step) != ""


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_answer_what_it_prints(
    service: Deployment, client: Client, page: str, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        missing("curl")
    (tmp_path / ".local").symlink_to(service.parts.state.folder)
    shell = Shell(client.speaking_for(client.sub, f"{ALL_SCOPES} keys"), tmp_path)
    compared = 0
    for step in steps((ROOT / page).read_text()):
        if step.command.startswith("grep"):
            until(partial(shell.prints, step), f"a line of the log, for {step.command}")
            continue
        answered = shell.run(step)
        if step.printed:
            compared += 1
            found = list(differences(json.loads(step.printed), json.loads(answered)))
            assert found == [], f"{step.command}{answered}"
    assert compared


def looks(service: Deployment) -> Iterator[str]:
    """Yield the blocks of docs/developing.md that look into a running service, with the ports of this one."""
    page = (ROOT / "docs" / "developing.md").read_text()
    for name, (default, _) in PORTS.items():
        page = re.sub(rf"\b{default}\b", str(service.ports[name]), page)
    for block in re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        if re.search(r"\$PSQL|redis-cli|SECRET=", block):
            yield re.sub(r"^.*until Ctrl-C\n", "", block, flags=re.MULTILINE)


def test_the_commands_that_look_into_a_running_service_work(service: Deployment, tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    for name, folder in (("secrets", service.parts.state.folder), ("venv", ROOT / ".local")):
        (tmp_path / ".local" / name).symlink_to(folder / name)
    blocks = list(looks(service))
    assert len(blocks) == 4
    printed = subprocess.run(
        ["bash", "-euc", "\n".join(blocks)],
        env={"PATH": f"/usr/local/bin:/usr/bin:/bin:{ROOT / '.local' / 'venv' / 'bin'}", "LANG": "C.UTF-8"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    for part in ("error_code", "Planning Time", "ALTER SYSTEM", '"idle"', '"seccomp"', "lambda_"):
        assert part in printed, part


@pytest.fixture
def demo(service: Deployment, client: Client) -> Demo:
    return Demo(service.url, client.token)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.language}-{example.title}")
def test_a_function_is_shown_with_its_times_and_its_result(demo: Demo, example: Example) -> None:
    shown = row(demo, example)
    assert shown.split()[:2] == [example.language, example.title]
    assert json.loads(shown.split(maxsplit=5)[5]) == example.result


def test_a_new_version_gets_half_of_the_calls_and_then_all(demo: Demo) -> None:
    made, halved, moved = renewal(demo, EXAMPLES[4], FASTER)
    assert "version 1, and version 2" in made
    assert 0 < int(halved.split()[-1]) < SPLIT
    assert "`live` names version 2" in moved
    # A second demonstration goes on from there.
    assert "version 3, and version 4" in next(renewal(demo, EXAMPLES[4], FASTER))
