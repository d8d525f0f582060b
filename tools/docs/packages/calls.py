"""The calls that show whether a package works, from `python.toml` and `nodejs.toml` beside this file."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Call:
    """A script that uses a package.

    Args:
        package: the name under which an installer knows the package.
        does: what the script does, in a few words.
        script: its source.
        expected: its result.
        needs: what it needs that the default confinement refuses; empty: nothing.
    """

    package: str
    does: str
    script: str
    expected: Any
    needs: str = ""


def calls(language: str) -> list[Call]:
    """Return the calls of a language, `python` or `nodejs`, sorted by package."""
    listed = tomllib.loads(Path(__file__).with_name(f"{language}.toml").read_text())
    return [Call(package, **listed[package]) for package in sorted(listed)]
