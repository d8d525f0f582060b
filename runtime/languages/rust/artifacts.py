"""Compiled scripts on disk: the portable module, and the module that wasmtime has serialized for this machine.

Each file has a code (HMAC-SHA-256) over its content and its purpose, with a key derived from the runtimes' secret. A
serialized module is executed without further checks, so it must not come from elsewhere. A file with a wrong code
counts as missing.
"""

import hashlib
import hmac
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile

#: Version of the format. Change it when `glue.rs` and `wasm_instance.py` no longer fit older modules.
FORMAT = "2"

#: Most files by default. The files that were used least recently are removed.
MAX_FILES = 4000

#: The start of a custom section (type 0, length, name), which holds the code and which every reader skips.
_SECTION = b"\x00\x2c\x0blambda.hmac"
_CODE_BYTES = hashlib.sha256().digest_size


class Seal:
    """Adds codes to modules and checks them."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), f"rust artifacts {FORMAT}".encode(), "sha256")

    def sealed(self, purpose: str, module: bytes) -> bytes:
        """Return a module with its code at the end."""
        return module + self._code(purpose, module)

    def opened(self, purpose: str, sealed: bytes) -> bytes | None:
        """Return the module without its code, or None if the code is wrong for this purpose."""
        module, code = sealed[:-_CODE_BYTES], sealed[-_CODE_BYTES:]
        return module if hmac.compare_digest(code, self._code(purpose, module)) else None

    def _code(self, purpose: str, module: bytes) -> bytes:
        digest = hmac.new(self._key, hashlib.sha256(purpose.encode()).digest(), "sha256")
        digest.update(module)
        return digest.digest()


class ArtifactStore:
    """The artifacts of scripts, by hash and options, in one folder.

    Args:
        folder: The folder.
        secret: The runtimes' shared secret.
        engine_settings: Settings of the engine that serializes and loads modules.
        max_files: Most files in the folder.
    """

    def __init__(
        self, folder: Path, secret: str, engine_settings: Mapping[str, object], max_files: int = MAX_FILES
    ) -> None:
        self._folder = folder
        self._max_files = max_files
        self._seal = Seal(secret)
        self._machine = _machine(engine_settings)

    def sign(self, script_hash: str, options: str, module: bytes) -> bytes:
        """Return the portable artifact of a module: the same WebAssembly module with the code as another section."""
        return self._seal.sealed(f"wasm {script_hash} {options}", module + _SECTION)

    def is_ours(self, script_hash: str, options: str, artifact: bytes) -> bool:
        """Return whether an artifact was signed with our secret for this script and these options."""
        return self._seal.opened(f"wasm {script_hash} {options}", artifact) is not None

    def portable(self, script_hash: str, options: str) -> bytes | None:
        """Return the portable artifact, or None if it is missing or not ours."""
        artifact = _content(self._portable_path(script_hash, options))
        return artifact if artifact and self.is_ours(script_hash, options, artifact) else None

    def keep_portable(self, script_hash: str, options: str, artifact: bytes) -> None:
        """Write the portable artifact."""
        self._write(self._portable_path(script_hash, options), artifact)

    def serialized(self, artifact: bytes) -> Path | None:
        """Return the file of the serialized module of a portable artifact, or None if it is missing or not ours."""
        path = self._serialized_path(artifact)
        sealed = _content(path)
        return (
            path if sealed and self._seal.opened(self._serialized_purpose(path), sealed) is not None else None
        )

    def keep_serialized(self, artifact: bytes, module: bytes) -> Path:
        """Write the serialized module of a portable artifact and return its file."""
        path = self._serialized_path(artifact)
        self._write(path, self._seal.sealed(self._serialized_purpose(path), module))
        return path

    def _portable_path(self, script_hash: str, options: str) -> Path:
        return self._folder / f"{hashlib.sha256(f'{script_hash} {options}'.encode()).hexdigest()}.wasm"

    def _serialized_path(self, artifact: bytes) -> Path:
        return self._folder / f"{hashlib.sha256(artifact).hexdigest()}-{self._machine}.cwasm"

    def _serialized_purpose(self, path: Path) -> str:
        return f"cwasm {path.name}"

    def _write(self, path: Path, content: bytes) -> None:
        """Write a file atomically: a reader sees all of it or nothing."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as unfinished:
            unfinished.write(content)
        Path(unfinished.name).replace(path)
        self._prune()

    def _prune(self) -> None:
        """Remove the least recently used tenth of the files if there are too many, so that this is rarely needed."""
        files = list(self._folder.iterdir())
        if len(files) > self._max_files:
            for path in sorted(files, key=_last_use)[: len(files) - self._max_files * 9 // 10]:
                path.unlink(missing_ok=True)


def _content(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
        os.utime(path)  # the time of its last use
    except OSError:
        return None
    return content


def _last_use(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _machine(engine_settings: Mapping[str, object]) -> str:
    """Identify wasmtime's version and settings, and the CPU: machine code for another one may not run."""
    described = [line for line in _cpu_description() if line.startswith(("flags", "Features", "model name"))]
    settings = str(sorted(engine_settings.items()))
    identity = [version("wasmtime"), settings, platform.machine(), *sorted(set(described))]
    return hashlib.sha256("\n".join(identity).encode()).hexdigest()[:16]


def _cpu_description() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return [platform.processor()]
