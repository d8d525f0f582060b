"""What the function does with a call: resolve a declaration to a lock, build an environment from a lock."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from fnmatch import fnmatchcase
from typing import Any

import gevent
from packaging.utils import canonicalize_name

from configuration.errors import UnusableSetting
from runtime.installer import inventory, parts
from runtime.installer.inventory import Installed
from runtime.installer.jobs import Jobs, Overflow
from runtime.installer.nodejs_packages import NodePackages
from runtime.installer.python_packages import PythonPackages, here_platform
from runtime.installer.refusals import INSTALL, RESOLVE, failure, refusal
from runtime.installer.registries import Registries
from runtime.installer.settings import Settings
from runtime.installer.tree import Tree
from runtime.process.process import Process
from runtime.process.spawner import Spawner

_DROPPED_MAX = 100
_VERSION_TIMEOUT = 10


Packages = PythonPackages | NodePackages


class Builder:
    """Resolves and builds, one call in each slot.

    Args:
        settings: Bounds and policies.
        spawner: Starts the processes of jobs.

    Raises:
        UnusableSetting: A program is missing.
    """

    def __init__(self, settings: Settings, spawner: Spawner) -> None:
        self._settings = settings
        registries = Registries(settings)
        self._jobs = Jobs(settings, spawner, registries)
        self.packages: dict[str, Packages] = {"python": PythonPackages(settings, self._jobs, registries)}
        if programs := settings.node_and_npm():
            node, npm = programs
            self.packages["nodejs"] = NodePackages(
                settings, self._jobs, registries, node=node, npm=npm, version=_major(node)
            )

    def resolve(
        self, language: str, packages: list[str] | None, requires: str | None, lock: str | None
    ) -> dict[str, Any]:
        """Return the canonical lock of a declaration, with what the environment's name is made of.

        Raises:
            InitializationFailed: It cannot be had; the details say why.
            RuntimeUnavailable: It cannot be had now.
        """
        of = self.packages[language]
        try:
            with self._jobs.slot():
                canonical, found = of.resolve(packages, requires, lock)
        except Overflow as excess:
            raise refusal(f"to resolve the packages takes more than {excess}", RESOLVE) from None
        self._check_policy(name for name, _ in found)
        return {
            "lock": canonical,
            "version": of.version,
            "platform": here_platform(),
            "packages": [{"name": name, "version": version} for name, version in found],
        }

    def build(self, language: str, lock: str) -> Iterator[bytes]:
        """Install what a lock says. Returns the frames: a head, then the parts. Closing the iterator ends it.

        Raises:
            InitializationFailed: It cannot be built; the details say why.
            RuntimeUnavailable: It cannot be built now.
        """
        of = self.packages[language]
        self._check_policy(of.read(lock))
        begun = time.monotonic()
        held = ExitStack()
        try:
            held.enter_context(self._jobs.slot())
            process = of.install(lock)
            held.callback(process.close)
            tree, packages = self._installed(of, process)
            first = gevent.get_hub().threadpool.apply(parts.manifest, (tree,))
            head = {
                "packages": [package.document() for package in packages],
                "bytes": tree.size,
                "files": len(tree.files),
                "built_ms": round((time.monotonic() - begun) * 1000),
                "parts": parts.count(tree),
                "dropped": tree.dropped[:_DROPPED_MAX],
            }
            return _frames(head, first, tree, held)
        except BaseException:
            held.close()
            raise

    def _installed(self, of: Packages, process: Process) -> tuple[Tree, list[Installed]]:
        """Wait for a job. Returns what it has installed, within the bounds."""
        try:
            status, said = self._jobs.finish(process)
            if status != 0:
                raise failure(INSTALL, said)
            tree = gevent.get_hub().threadpool.apply(of.tree, (process,))
        except Overflow as excess:
            raise _too_large(f"more than {excess}", inventory.so_far(process.folder)) from None
        packages = gevent.get_hub().threadpool.apply(of.inventory, (tree,))
        if tree.size > self._settings.max_bytes:
            raise _too_large(f"{tree.size} bytes, more than {self._settings.max_bytes}", packages)
        if len(tree.files) > self._settings.max_files:
            raise _too_large(f"{len(tree.files)} files, more than {self._settings.max_files}", packages)
        return tree, packages

    def _check_policy(self, names: Iterator[str] | list[str]) -> None:
        """Raise InitializationFailed if a package may not be installed."""
        for name in names:
            if self._settings.allow and not _listed(name, self._settings.allow):
                raise refusal(f"{name} is not among the packages that PACKAGES_ALLOW names", RESOLVE)
            if _listed(name, self._settings.deny):
                raise refusal(f"{name} is refused by PACKAGES_DENY", RESOLVE)


def _frames(head: Mapping[str, Any], first: bytes, tree: Tree, held: ExitStack) -> Iterator[bytes]:
    """Return the frames. The job's folder lives as long as the iterator."""

    def frames() -> Iterator[bytes]:
        with held:
            yield b""
            yield parts.frame(parts.canonical_json(head)) + parts.frame(first)
            pieces = parts.pieces(tree)
            apply = gevent.get_hub().threadpool.apply
            while (piece := apply(next, (pieces, None))) is not None:
                yield parts.frame(piece)

    made = frames()
    next(made)  # from here on closing it gives everything back
    return made


def _too_large(what: str, packages: list[Installed]) -> Exception:
    named = inventory.largest(packages)
    return refusal(f"the packages have {what}" + (f"; the largest: {named}" if named else ""), INSTALL)


def _listed(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) or name == canonicalize_name(pattern) for pattern in patterns)


def _major(node: str) -> str:
    """Return the major version of Node.js. Raises UnusableSetting."""
    try:
        told = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UnusableSetting(f"NODE: {node} does not run: {error}") from None
    return told.stdout.strip().removeprefix("v").partition(".")[0]
