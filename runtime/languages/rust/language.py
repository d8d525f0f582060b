"""Rust: compiled to WebAssembly by rustc, run by wasmtime.

A script goes through three forms, each kept: source, portable module (`.wasm`, the controller's artifact),
serialized module (`.cwasm`, machine code for this CPU). rustc and wasmtime's compiler run in confined processes;
the workers that run the script map the serialized module and compile nothing.
"""

import importlib.util
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from gevent.lock import BoundedSemaphore

from configuration.errors import UnusableSetting
from runtime.errors import RateLimited, RuntimeUnavailable, ScriptNeeded
from runtime.languages.base import Host, Libraries, Package, Script
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

#: The largest module that is taken from rustc.
MODULE_MAX_BYTES = 16 << 20

#: Address space of rustc, which takes half of it for itself; 600 functions, optimized, need all but a tenth.
COMPILER_MEMORY_BYTES = 1728 << 20

#: What a script may name: crates of the compiler, and of those that the glue is made of.
_STANDARD_LIBRARY = ("alloc", "core", "std")
_CRATES = ("serde_json",)

#: Files of the worker that serializes a module, in its own folder.
_PORTABLE, _SERIALIZED = "module.wasm", "module.cwasm"


class Rust:
    """Scripts with a `handler`; see `rust_compiler.HANDLER`.

    Ends the program with one line when the settings name a toolchain that is none. Without any toolchain only what
    was compiled before runs.
    """

    name = "rust"
    counts_fuel = True

    def __init__(self, settings: Settings) -> None:
        artifacts = settings.state / "rust"
        # Workers that start before the first artifact is written must be granted its folder, too.
        artifacts.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._artifacts = ArtifactStore(artifacts, settings.secret, {**ENGINE_SETTINGS, **POOL_SETTINGS})
        self._confinement = Confinement(
            # wasmtime reserves gigabytes of address space around a memory; the store's own limit bounds it.
            read=(*interpreter_paths(), str(artifacts)),
            cpu_seconds=settings.cpu_max_seconds,
            network=False,
            off=settings.isolation_off,
        )
        self._compiler = _compiler(settings.rust_toolchain)
        self._turns = BoundedSemaphore(os.cpu_count() or 1)
        self._serializing: WeakValueDictionary[bytes, BoundedSemaphore] = WeakValueDictionary()

    def preload(self) -> Preload:
        """wasmtime, which lies where the front's own packages are."""
        found = importlib.util.find_spec("wasmtime")
        if found is None or found.origin is None:
            raise RuntimeUnavailable("the package wasmtime is not installed")
        return Preload(modules=("wasmtime",), worker=WORKER, path=(Path(found.origin).parents[1],))

    def launch(self) -> Launch:
        return Launch(confinement=self._confinement)

    def options(self, compile_options: Mapping[str, Any]) -> str:
        return Options.of(compile_options).text

    def recall(self, script_hash: str, options: str) -> Script | None:
        artifact = self._artifacts.portable(script_hash, options)
        return Script(script_hash, options, artifact=artifact) if artifact else None

    def compile(self, script: Script, host: Host) -> Script:
        """rustc, unless the artifact came along; then wasmtime, so that the first execution need not wait for it."""
        artifact = script.artifact
        if artifact is None or not self._artifacts.is_ours(script.hash, script.options, artifact):
            artifact = self._artifacts.sign(script.hash, script.options, self._compiled(script, host))
        self._module(artifact, host)
        self._artifacts.keep_portable(script.hash, script.options, artifact)
        return replace(script, artifact=artifact)

    def load_payload(self, script: Script, folder: Path, host: Host) -> dict[str, Any]:
        if script.artifact is None:
            raise ScriptNeeded("the script has not been compiled")
        module = self._module(script.artifact, host)
        return {"module": str(module), "memory_max_bytes": host.settings.wasm_memory_max_bytes}

    def libraries(self, host: Host) -> Libraries:
        """Nothing where there is no compiler."""
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
                # Not the artifacts: a script could include another one's.
                read=(),
                run=(*toolchain.folders(), str(glue.folder)),
                memory_bytes=COMPILER_MEMORY_BYTES,
                processes=True,
                # `include_bytes!` would read until the memory is full.
                endless=False,
            ),
        )
        with self._turn(host), closing(host.start(launch)) as process:
            return _module_of(process, script.content, host.settings.compile_timeout)

    def _module(self, artifact: bytes, host: Host) -> Path:
        """The serialized module of an artifact, made once even if many ask for it."""
        lock = self._serializing.setdefault(artifact, BoundedSemaphore())
        with lock:
            return self._artifacts.serialized(artifact) or self._serialize(artifact, host)

    def _serialize(self, artifact: bytes, host: Host) -> Path:
        with self._turn(host), closing(host.worker()) as worker:
            folder = worker.process.folder
            (folder / _PORTABLE).write_bytes(artifact)
            payload = {"portable": _PORTABLE, "module": _SERIALIZED}
            worker.load(payload, "compile", host.settings.compile_timeout)
            return self._artifacts.keep_serialized(artifact, (folder / _SERIALIZED).read_bytes())

    @contextmanager
    def _turn(self, host: Host) -> Iterator[None]:
        """One compiler for each CPU at a time: each takes all of one, and 150 MB. Raises RateLimited."""
        if not self._turns.acquire(timeout=host.settings.queue_timeout / 1000):
            raise RateLimited("all compilers of this runtime are busy")
        try:
            yield
        finally:
            self._turns.release()


def _compiler(folder: Path | None) -> tuple[Toolchain, Glue] | None:
    if folder is None:
        return None
    try:
        toolchain = Toolchain.load(folder)
        return toolchain, Glue.of(toolchain, folder)
    except ToolchainError as error:
        raise UnusableSetting(f"RUST_TOOLCHAIN: {error}") from None


def _packages(sources: Path) -> Iterator[Package]:
    """The crates' versions, by the names of their sources' folders."""
    for name in _CRATES:
        for source in sources.glob(f"{name}-[0-9]*"):
            yield Package(name, source.name.removeprefix(f"{name}-"))


def _module_of(process: Process, content: str, timeout_ms: int) -> bytes:
    """What rustc has made of the script. Raises InitializationFailed."""
    status = process.wait(timeout_ms / 1000)
    if status is None:
        raise refusal(f"compiling the script took longer than {timeout_ms} ms")
    if status != 0:
        raise compile_failure(content, process.stderr.take(), status)
    module = process.folder / MODULE
    if module.stat().st_size > MODULE_MAX_BYTES:
        raise refusal(f"the compiled script has more than {MODULE_MAX_BYTES} bytes")
    return module.read_bytes()
