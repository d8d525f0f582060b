"""Each library asks for what it imports, and requirements.txt pins that and no more."""

import ast
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
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


def imported(library: str) -> set[str]:
    """The top-level packages, neither ours nor Python's, that the library and SHARED import."""
    found: set[str] = set()
    for path in (path for package in (library, *SHARED) for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found.add(node.module.partition(".")[0])
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
