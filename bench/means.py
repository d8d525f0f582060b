"""What measuring needs: fetched where it is missing, and left out where it cannot be had."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.scenarios import Group
from bench.selection import restricted
from bench.service import Service
from bench.wrk import Wrk
from local.fetch import node, wrk
from local.fetch.go_programs import UnavailableError
from local.fetch.openfaas_tools import Tools
from local.services import RUNTIMES
from local.state import RUST
from local.supervisor.account import RUNNER, Account


class Means:
    """Programs and toolchains.

    Args:
        local: the folder where they are kept.
        watchdog: whether the of-watchdog is needed.
        announce: says what cannot be had, which is no error.
    """

    def __init__(self, local: Path, announce: Callable[[str], None], *, watchdog: bool) -> None:
        """Raises PackagesError where there is no wrk, and PartError where there is no Node.js."""
        self.wrk = Wrk(wrk.program(local / wrk.FOLDER))
        self._node = node.program(announce)
        named = os.environ.get("RUST_TOOLCHAIN")
        self._rust = Path(named) if named else Account.named(RUNNER).folder(local) / RUST
        self._languages = list(RUNTIMES)
        if not (self._rust / "toolchain.json").exists():
            announce(f"without Rust: there is no toolchain in {self._rust}")
            self._languages.remove("rust")
        self._watchdog: Path | None = None
        if watchdog:
            try:
                self._watchdog = Tools(local / "openfaas").watchdog()
            except UnavailableError as reason:
                announce(f"without of-watchdog: {reason}")

    def possible(self, groups: Sequence[Group]) -> list[Group]:
        """The groups, without what cannot be run here."""
        can_be = [group for group in groups if self._watchdog or not group.watchdog]
        return restricted(can_be, lambda scenario: scenario.language in ("", *self._languages))

    def service(self, group: Group) -> Service:
        """The service that a group is run against."""
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        guard = self._watchdog if group.watchdog else None
        return Service(
            folder,
            self._languages,
            self._node,
            self._rust,
            group.controller,
            group.runtime,
            watchdog=guard,
        )
