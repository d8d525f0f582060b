"""The Python client's package says what it is and what it needs."""

import sys
import tomllib

from packaging.requirements import Requirement

from lambda_ms import __version__
from local.state import ROOT
from tests.unit.test_repository import listed, modules_of, names

FOLDER = ROOT / "clients" / "python"
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]


def test_its_version_is_the_services() -> None:
    service = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert __version__ == service["version"]


def test_it_asks_for_what_it_imports() -> None:
    imported = {name for path in (FOLDER / "src").rglob("*.py") for name in modules_of(path)}
    tops = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names - {"lambda_ms"}

    asked = names(Requirement(each) for each in PROJECT["dependencies"])

    assert tops == asked | {"pytest"}  # the plugin is imported by it


def test_what_it_asks_for_is_pinned_for_its_tests() -> None:
    pins = [
        each
        for name in ("requirements.txt", "requirements-dev.txt")
        for each in listed((ROOT / name).read_text().splitlines())
    ]

    assert names(Requirement(each) for each in PROJECT["dependencies"]) <= names(pins)
