"""Which scenarios run, and what they need; what cannot be had here is left out."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from bench.command import announce
from bench.scenarios import GROUPS, Group
from bench.scenarios.scenario import Scenario
from bench.service import Service
from local.fetch import node
from local.services import RUNTIMES
from local.state import ROOT, RUST
from local.supervisor.account import RUNNER, Account


def selected(patterns: Sequence[str]) -> list[Group]:
    """The groups with the scenarios that match a pattern, and with their references."""
    scenarios = {each.name: each for group in GROUPS for each in group.scenarios}
    wanted = [name for name in scenarios if any(fnmatch(name, pattern) for pattern in patterns)]
    for name in wanted:
        wanted += [other for other in scenarios[name].references if other not in wanted]
    return restricted(GROUPS, lambda scenario: scenario.name in wanted)


def restricted(groups: Sequence[Group], wanted: Callable[[Scenario], bool]) -> list[Group]:
    """The groups with those scenarios alone, without empty groups."""
    left = (replace(group, scenarios=tuple(filter(wanted, group.scenarios))) for group in groups)
    return [group for group in left if group.scenarios]


def rust_toolchain() -> Path:
    """The folder of the toolchain, which may be missing."""
    named = os.environ.get("RUST_TOOLCHAIN")
    return Path(named) if named else Account.named(RUNNER).folder(ROOT / ".local") / RUST


class Means:
    """Node.js and Rust. Says so where Rust is missing."""

    def __init__(self) -> None:
        """Raises PartError where there is no Node.js."""
        self._node = node.program()
        self._rust = rust_toolchain()
        self._languages = list(RUNTIMES)
        if not (self._rust / "toolchain.json").exists():
            announce(f"without Rust: there is no toolchain in {self._rust}")
            self._languages.remove("rust")

    def possible(self, groups: Sequence[Group]) -> list[Group]:
        """The groups, without what cannot be run here."""
        return restricted(groups, lambda scenario: scenario.language in ("", *self._languages))

    def service(self, group: Group) -> Service:
        """A new service for a group."""
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        variables = (group.controller, group.runtime)
        return Service(folder, self._languages, self._node, self._rust, *variables)
