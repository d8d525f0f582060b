"""Compiled scripts on disk: the portable module, and what wasmtime has made of it for this machine.

Each carries a code (HMAC-SHA-256) over its bytes and what it is for, under a key made from the runtimes' secret:
a serialized module is run as it is, so that none may come from elsewhere. What does not fit is as good as not
there.
"""

import hashlib
import hmac
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile

#: To be changed when modules made before do not fit `glue.rs` and `wasm_instance.py` any more.
FORMAT = "1"

#: Files that are kept by default; those unused for longest go.
MAX_FILES = 4000

#: The code of a portable module is a section at its end, which every reader skips: type 0, length, name.
_SECTION = b"\x00\x2c\x0blambda.hmac"
_CODE_BYTES = hashlib.sha256().digest_size


class Seal:
    """Puts codes to modules and checks them."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), f"rust artifacts {FORMAT}".encode(), "sha256")

    def sealed(self, purpose: str, module: bytes) -> bytes:
        """The module with its code at the end."""
        return module + self._code(purpose, module)

    def opened(self, purpose: str, sealed: bytes) -> bytes | None:
        """The module without its code, or None when the code is not ours for this purpose."""
        module, code = sealed[:-_CODE_BYTES], sealed[-_CODE_BYTES:]
        return module if hmac.compare_digest(code, self._code(purpose, module)) else None

    def _code(self, purpose: str, module: bytes) -> bytes:
        digest = hmac.new(self._key, hashlib.sha256(purpose.encode()).digest(), "sha256")
        digest.update(module)
        return digest.digest()


class ArtifactStore:
    """The artifacts of scripts by their hash and options, in one folder of at most `max_files`.

    `engine_settings` are those of the engine that makes and loads the serialized modules.
    """

    def __init__(
        self, folder: Path, secret: str, engine_settings: Mapping[str, object], max_files: int = MAX_FILES
    ) -> None:
        self._folder = folder
        self._max_files = max_files
        self._seal = Seal(secret)
        self._machine = _machine(engine_settings)

    def sign(self, script_hash: str, options: str, module: bytes) -> bytes:
        """The portable artifact of a module: still a WebAssembly module, with one more section."""
        return self._seal.sealed(f"wasm {script_hash} {options}", module + _SECTION)

    def is_ours(self, script_hash: str, options: str, artifact: bytes) -> bool:
        """Whether the artifact was made with our secret, of this script with these options."""
        return self._seal.opened(f"wasm {script_hash} {options}", artifact) is not None

    def portable(self, script_hash: str, options: str) -> bytes | None:
        """The portable artifact, if it is there and ours."""
        artifact = _content(self._portable_path(script_hash, options))
        return artifact if artifact and self.is_ours(script_hash, options, artifact) else None

    def keep_portable(self, script_hash: str, options: str, artifact: bytes) -> None:
        """Write the portable artifact."""
        self._write(self._portable_path(script_hash, options), artifact)

    def serialized(self, artifact: bytes) -> Path | None:
        """The file of the serialized module made of a portable artifact, if it is there and ours."""
        path = self._serialized_path(artifact)
        sealed = _content(path)
        return (
            path if sealed and self._seal.opened(self._serialized_purpose(path), sealed) is not None else None
        )

    def keep_serialized(self, artifact: bytes, module: bytes) -> Path:
        """Write the serialized module made of a portable artifact."""
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
        """In one step: a reader sees all of it or nothing."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as unfinished:
            unfinished.write(content)
        Path(unfinished.name).replace(path)
        self._prune()

    def _prune(self) -> None:
        """A tenth goes at once, so that it need not be done for each new file."""
        files = list(self._folder.iterdir())
        if len(files) > self._max_files:
            for path in sorted(files, key=_last_use)[: len(files) - self._max_files * 9 // 10]:
                path.unlink(missing_ok=True)


def _content(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
        os.utime(path)  # its last use
    except OSError:
        return None
    return content


def _last_use(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _machine(engine_settings: Mapping[str, object]) -> str:
    """wasmtime's version and settings and what the CPU can do: code that was made for another one may not run."""
    described = [line for line in _cpu_description() if line.startswith(("flags", "Features", "model name"))]
    settings = str(sorted(engine_settings.items()))
    identity = [version("wasmtime"), settings, platform.machine(), *sorted(set(described))]
    return hashlib.sha256("\n".join(identity).encode()).hexdigest()[:16]


def _cpu_description() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return [platform.processor()]
