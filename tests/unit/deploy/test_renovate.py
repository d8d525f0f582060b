"""renovate.json: its hand-written patterns still find the versions they are for."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from local.state import ROOT

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
