"""Rust: compiled to WebAssembly by rustc, run by wasmtime.

A script has three forms: the source, the portable module (`.wasm`, the artifact that the controller keeps) and the
serialized module (`.cwasm`, machine code for this CPU). rustc and wasmtime's compiler run in confined processes. The
workers that run the script only map the serialized module.
"""

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from gevent.lock import BoundedSemaphore

from configuration.errors import UnusableSetting
from runtime.errors import RuntimeUnavailable, ScriptNeeded
from runtime.languages.base import Host, Libraries, Package, Script
from runtime.languages.compiler_slots import CompilerSlots
from runtime.languages.rust.artifacts import ArtifactStore
from runtime.languages.rust.compiler import (
    MODULE,
    Options,
    compile_failure,
    compiler_command,
    compiler_files,
    refusal,
)
from runtime.languages.rust.toolchain import Glue, Toolchain, ToolchainError
from runtime.process.process import Launch, Preload, Process
from runtime.sandbox.confine import Confinement, interpreter_paths
from runtime.settings import Settings
from runtime.workers.wasm_settings import ENGINE_SETTINGS, POOL_SETTINGS

WORKER = "runtime.workers.wasm_worker"

#: Largest module that rustc may create.
MODULE_MAX_BYTES = 16 << 20

#: Address space of rustc, which needs half of it for itself. A script of 600 functions, optimized, needs 90 %.
COMPILER_MEMORY_BYTES = 1728 << 20

#: Crates that a script may use: some of the compiler's, and some of the glue's.
_STANDARD_LIBRARY = ("alloc", "core", "std")
_CRATES = ("serde_json",)

#: Files in the private folder of the worker that serializes a module.
_PORTABLE, _SERIALIZED = "module.wasm", "module.cwasm"


class Rust:
    """Rust: a script with a `handler`, see `compiler.HANDLER`.

    Without a toolchain only scripts that are compiled already run.

    Raises:
        UnusableSetting: The setting names a folder without a prepared toolchain.
    """

    name = "rust"
    dialects: tuple[str, ...] = ()
    environments_access = 0
    counts_fuel = True
    checks = False

    def __init__(self, settings: Settings) -> None:
        artifacts = settings.state / "rust"
        # Workers that start before the first artifact is written need access to its folder too.
        artifacts.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._artifacts = ArtifactStore(artifacts, settings.secret, {**ENGINE_SETTINGS, **POOL_SETTINGS})
        self._confinement = Confinement(
            # No `memory_bytes`: wasmtime reserves gigabytes of address space. The limit of a store bounds its memory.
            read=(*interpreter_paths(), str(artifacts)),
            cpu_seconds=settings.cpu_max_seconds,
            network=False,
            off=settings.isolation_off,
        )
        self._compiler = _compiler(settings.rust_toolchain)
        self._slots = CompilerSlots()
        self._serializing: WeakValueDictionary[bytes, BoundedSemaphore] = WeakValueDictionary()

    def preload(self) -> Preload:
        """Return wasmtime, from the folder of the front's packages, and the worker program."""
        found = importlib.util.find_spec("wasmtime")
        if found is None or found.origin is None:
            raise RuntimeUnavailable("the package wasmtime is not installed")
        return Preload(modules=("wasmtime",), worker=WORKER, path=(Path(found.origin).parents[1],))

    def launch(self) -> Launch:
        """Return a fork of the fork server."""
        return Launch(confinement=self._confinement)

    def options(self, language: str, compile_options: Mapping[str, Any]) -> str:
        """Return the canonical text of the options. Raises InitializationFailed."""
        return Options.of(compile_options).text

    def recall(self, script_hash: str, options: str) -> Script | None:
        """Return a script with its artifact from the disk, or None."""
        artifact = self._artifacts.portable(script_hash, options)
        return Script(script_hash, options, artifact=artifact) if artifact else None

    def compile(self, script: Script, host: Host) -> Script:
        """Compile by rustc, unless the artifact was sent along, and serialize the module for the first run."""
        artifact = script.artifact
        if artifact is None or not self._artifacts.is_ours(script.hash, script.options, artifact):
            artifact = self._artifacts.sign(script.hash, script.options, self._compiled(script, host))
        self._module(artifact, host)
        self._artifacts.keep_portable(script.hash, script.options, artifact)
        return replace(script, artifact=artifact)

    def load_payload(self, script: Script, folder: Path, host: Host) -> dict[str, Any]:
        """Return the file of the serialized module, and the memory limit of a call."""
        if script.artifact is None:
            raise ScriptNeeded("the script has not been compiled")
        module = self._module(script.artifact, host)
        return {"module": str(module), "memory_max_bytes": host.settings.wasm_memory_max_bytes}

    def libraries(self, host: Host) -> Libraries:
        """Return the crates of compiler and glue; nothing without a compiler."""
        if self._compiler is None:
            return Libraries()
        toolchain, _ = self._compiler
        return Libraries(
            toolchain.version.split()[1], _STANDARD_LIBRARY, tuple(_packages(Path(toolchain.crates)))
        )

    def _compiled(self, script: Script, host: Host) -> bytes:
        if script.content is None:
            raise ScriptNeeded("the script's source is needed to compile it")
        if self._compiler is None:
            raise RuntimeUnavailable("this runtime has no Rust compiler")
        toolchain, glue = self._compiler
        launch = Launch(
            argv=compiler_command(toolchain, glue, Options.read(script.options)),
            environment=toolchain.variables,
            files=compiler_files(script.content),
            confinement=replace(
                self._confinement,
                # Not the artifacts: a script could include the artifact of another one.
                read=(),
                run=(*toolchain.folders(), str(glue.folder)),
                memory_bytes=COMPILER_MEMORY_BYTES,
                processes=True,
                # `include_bytes!` of an endless file would fill the memory.
                endless=False,
            ),
        )
        with self._slots.one(host), closing(host.start(launch)) as process:
            return _module_of(process, script.content, host.settings.compile_timeout)

    def _module(self, artifact: bytes, host: Host) -> Path:
        """Return the serialized module of an artifact. Concurrent requests for it create it once."""
        lock = self._serializing.setdefault(artifact, BoundedSemaphore())
        with lock:
            return self._artifacts.serialized(artifact) or self._serialize(artifact, host)

    def _serialize(self, artifact: bytes, host: Host) -> Path:
        with self._slots.one(host), closing(host.worker()) as worker:
            folder = worker.process.folder
            (folder / _PORTABLE).write_bytes(artifact)
            payload = {"portable": _PORTABLE, "module": _SERIALIZED}
            worker.load(payload, "compile", host.settings.compile_timeout)
            return self._artifacts.keep_serialized(artifact, (folder / _SERIALIZED).read_bytes())


def _compiler(folder: Path | None) -> tuple[Toolchain, Glue] | None:
    if folder is None:
        return None
    try:
        toolchain = Toolchain.load(folder)
        return toolchain, Glue.of(toolchain, folder)
    except ToolchainError as error:
        raise UnusableSetting(f"RUST_TOOLCHAIN: {error}") from None


def _packages(sources: Path) -> Iterator[Package]:
    """Return the crates' versions, which the names of their source folders contain."""
    for name in _CRATES:
        for source in sources.glob(f"{name}-[0-9]*"):
            yield Package(name, source.name.removeprefix(f"{name}-"))


def _module_of(process: Process, content: str, timeout_ms: int) -> bytes:
    """Wait for rustc and return the module. Raises InitializationFailed."""
    status = process.wait(timeout_ms / 1000)
    if status is None:
        raise refusal(f"compiling the script took longer than {timeout_ms} ms")
    if status != 0:
        raise compile_failure(content, process.stderr.take(), status)
    module = process.folder / MODULE
    if module.stat().st_size > MODULE_MAX_BYTES:
        raise refusal(f"the compiled script has more than {MODULE_MAX_BYTES} bytes")
    return module.read_bytes()
