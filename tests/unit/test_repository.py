"""Lists that have to fit the code: requirements, renovate.json, and the imports of the template."""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterable
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local.state import ROOT

LIBRARIES = ("controller", "runtime")
#: Installed beside either.
SHARED = ("telemetry", "configuration", "framing")
#: What the template's own list installs for every function.
HOST = ROOT / "template" / "python3-gevent" / "requirements.txt"


def listed(requirements: Iterable[str]) -> list[Requirement]:
    """What the lines of such a file ask for."""
    lines = (line.partition("#")[0].strip() for line in requirements)
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def names(requirements: Iterable[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def pins() -> list[Requirement]:
    """What requirements.txt pins for this Python."""
    all_pins = listed((ROOT / "requirements.txt").read_text().splitlines())
    return [each for each in all_pins if not each.marker or each.marker.evaluate()]


def asked(library: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return listed(project["optional-dependencies"][library])


def closure(requirements: Iterable[Requirement]) -> set[str]:
    """The requirements' names, with all that they bring."""
    found: set[str] = set()
    todo = list(requirements)
    while todo:
        name = canonicalize_name(todo.pop().name)
        if name not in found:
            found.add(name)
            brought = listed(requires(name) or ())
            todo += [each for each in brought if not each.marker or each.marker.evaluate({"extra": ""})]
    return found


def modules_of(path: Path) -> set[str]:
    """Return what a module imports, also inside functions, but for its neighbours."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


def imported(library: str) -> set[str]:
    """The top-level packages, neither ours nor Python's, that the library and SHARED import."""
    paths = [path for package in (library, *SHARED) for path in (ROOT / package).rglob("*.py")]
    found = {name.partition(".")[0] for path in paths for name in modules_of(path)}
    return {name for name in found if name[0] != "_"} - sys.stdlib_module_names - {*LIBRARIES, *SHARED}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_asks_for_what_it_imports(library: str) -> None:
    brings = packages_distributions()
    needed = {
        module: {canonicalize_name(distribution) for distribution in brings.get(module, ())}
        for module in imported(library)
    }

    missing = {module for module, any_of in needed.items() if not any_of & names(asked(library))}

    assert needed
    assert missing == set()


def test_exactly_what_is_asked_for_is_pinned() -> None:
    pinned = pins()
    wanted = [*asked("controller"), *asked("runtime"), *listed(HOST.read_text().splitlines())]

    assert {str(each.specifier)[:2] for each in pinned} == {"=="}
    assert names(pinned) == closure(wanted)


def test_a_runtime_brings_nothing_of_the_controllers() -> None:
    assert not closure(asked("runtime")) & {"kubernetes", "redis", "psycopg2-binary", "pyjwt"}


def test_the_host_is_the_same_in_every_image() -> None:
    pinned = {canonicalize_name(each.name): each.specifier for each in pins()}

    for each in listed(HOST.read_text().splitlines()):
        assert pinned[canonicalize_name(each.name)] == each.specifier


CONFIGURATION = json.loads((ROOT / "renovate.json").read_text())
FOLDERS = ("deploy", "local", "template")


def _files(patterns: list[str]) -> list[Path]:
    """The files of the repository that match one of Renovate's patterns, `/regular expression/`."""
    expressions = [re.compile(pattern.strip("/")) for pattern in patterns]
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
    return [path for path in found if any(each.search(str(path.relative_to(ROOT))) for each in expressions)]


@pytest.mark.parametrize(
    "manager", CONFIGURATION["customManagers"], ids=lambda manager: manager["depNameTemplate"]
)
def test_a_pattern_finds_its_version(manager: dict[str, Any]) -> None:
    (expression,) = [pattern.replace("(?<", "(?P<") for pattern in manager["matchStrings"]]

    versions = [
        match["currentValue"]
        for path in _files(manager["managerFilePatterns"])
        for match in re.finditer(expression, path.read_text())
    ]

    assert versions, manager["description"]


def test_the_manifests_with_images_are_among_renovates_files() -> None:
    matched = _files(CONFIGURATION["kubernetes"]["managerFilePatterns"])

    assert any("image: redis:" in path.read_text() for path in matched)


TEMPLATE = ROOT / "template" / "python3-gevent"


def test_modules_have_no_import_circle() -> None:
    modules = {path.stem: modules_of(path) for path in TEMPLATE.glob("*.py")}
    graph = {name: others & modules.keys() for name, others in modules.items()}

    order = list(TopologicalSorter(graph).static_order())

    assert order.index("http_connection") < order.index("http_worker")
