"""Node.js: each worker is a process of the installed `node`, version 24 or later."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from configuration.errors import UnusableSetting
from runtime.errors import ScriptFailed, ScriptTimeout
from runtime.languages.base import Host, Interpreted, Script
from runtime.languages.compiler_slots import CompilerSlots
from runtime.process.failures import initialization_failure
from runtime.process.hints import Allowed
from runtime.process.process import Launch, Preload
from runtime.sandbox import landlock
from runtime.sandbox.confine import RESERVED_BYTES, Confinement
from runtime.settings import MEBIBYTE, Settings

_WORKERS = Path(__file__).parents[1] / "workers"
_START = _WORKERS / "node_start.cjs"
#: Makes what `_START` finds under the name `_PROGRAM` in the private folder of a worker.
_MAKER = _WORKERS / "node_program.cjs"
_PROGRAM = "program"
_STRIPPER = _WORKERS / "node_types.mjs"
#: The oldest major version that runs the worker program.
_OLDEST = 24
#: Seconds for the answer of Node.js at the start of a runtime.
_ANSWER_TIMEOUT = 10
#: Experimental interfaces: to compile ES modules without running them, and to find packages for them. And fewer
#: threads to start: one of V8 rather than four, for which processes of many scripts would not find cores, and none
#: that waits for a debugger.
_FLAGS = (
    "--experimental-vm-modules",
    "--experimental-import-meta-resolve",
    "--disable-warning=ExperimentalWarning",
    "--v8-pool-size=1",
    "--disable-sigusr1",
)


class NodeJS(Interpreted):
    """JavaScript: a CommonJS module, an ES module, or a bare function body. The same in TypeScript."""

    name = "nodejs"
    dialects: tuple[str, ...] = ("typescript",)
    # Node.js finds packages without listing folders, so no worker learns the names of others' folders.
    environments_access = landlock.READ_FILES
    inventory = _WORKERS / "node_libraries.mjs"

    def __init__(self, settings: Settings) -> None:
        node = _path(settings.node)
        heap = f"--max-old-space-size={settings.memory_max_bytes // MEBIBYTE}"
        command = (node, *_FLAGS, "--require", str(_WORKERS / "node_machine.cjs"), heap)
        program = _worker_program(command)
        self._files = {_PROGRAM: program} if program else {}
        self._argv = (*command, str(_START))
        folders = os.pathsep.join(f"{folder}/node_modules" for folder in settings.packages)
        self._environment = {"NODE_PATH": folders} if folders else {}
        self._slots = CompilerSlots()
        self._allowed = Allowed(self.name, settings.network)
        self._confinement = Confinement(
            # The limits watcher and V8's own option bound what is used. This bounds what is used between two looks.
            memory_bytes=settings.memory_max_bytes + RESERVED_BYTES,
            run=(node,),
            read=(str(_WORKERS), *settings.packages),
            cpu_seconds=settings.cpu_max_seconds,
            network=settings.network,
            off=settings.isolation_off,
        )

    def preload(self) -> Preload:
        """Return nothing to import: workers are programs of Node.js."""
        return Preload()

    def launch(self) -> Launch:
        """Return the command line of `node`, and the worker program."""
        return Launch(
            argv=self._argv,
            environment=self._environment,
            files=self._files,
            confinement=self._confinement,
        )

    def options(self, language: str, compile_options: Mapping[str, Any]) -> str:
        """Return the dialect, empty for JavaScript: the same text means something else in each."""
        return "" if language == self.name else language

    def compile(self, script: Script, host: Host) -> Script:
        """Return TypeScript as JavaScript, without its types; JavaScript unchanged.

        Raises:
            InitializationFailed: It does not parse, or has syntax that is more than types.
            RateLimited: Too many others are stripped at the moment.
        """
        if not script.options:
            return script
        stripper = Script(hash="", options="", content=_STRIPPER.read_text())
        with self._slots.one(host), closing(host.worker()) as worker:
            payload = self.load_payload(stripper, worker.process.folder, host)
            try:
                told = worker.run(
                    {"source": script.content}, {}, host.settings.prepare_timeout, payload
                ).result
            except (ScriptFailed, ScriptTimeout) as error:
                told = {"error": {"message": f"the types cannot be taken out: {error.message}"}}
        if "error" in told:
            raise initialization_failure(told["error"], "parse", self._allowed)
        return replace(script, content=told["text"])


def _path(name: str) -> str:
    """Return the path of Node.js. Raises UnusableSetting if it is missing."""
    found = shutil.which(name)
    if found is None:
        raise UnusableSetting(f"NODE: there is no program {name!r}")
    return str(Path(found).resolve())


def _worker_program(command: tuple[str, ...]) -> bytes:
    """Return the worker program for `_START`; nothing if it cannot be made. Raises UnusableSetting.

    Args:
        command: Node.js, with the flags of a worker. Its version is checked by the way.
    """
    # A Node.js that does not know the flags only says its version.
    told = _output(*command, str(_MAKER)) or _output(command[0], "--version")
    line, _, program = told.partition(b"\n")
    version = re.match(rb"v(\d+)\.", line)
    if version is None or int(version[1]) < _OLDEST:
        what = f"Node.js {line.decode().strip()}" if version else "no Node.js"
        raise UnusableSetting(f"NODE: {command[0]} is {what}; version {_OLDEST} or newer is needed")
    return program


def _output(*command: str) -> bytes:
    """Return what a program prints, nothing if it fails. Raises UnusableSetting if it does not run."""
    try:
        # Without our variables, some of which would set other flags.
        ended = subprocess.run(command, env={}, capture_output=True, timeout=_ANSWER_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnusableSetting(f"NODE: {command[0]} does not run: {error}") from None
    return b"" if ended.returncode else ended.stdout
