"""A prepared Rust toolchain: a folder whose `toolchain.json` says how rustc is called for a WASI target.

`python -m local.fetch.rust_toolchain DIR` makes one. `python -m runtime.languages.rust.glue DIR` completes it with
what every script is linked to.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

#: What targets are called: the first name since Rust 1.78, the second before.
WASI_TARGETS = ("wasm32-wasip1", "wasm32-wasi")

RECORD = "toolchain.json"

#: The Rust sources that come with us.
SOURCES = Path(__file__).parents[2] / "workers" / "rust"


class ToolchainError(Exception):
    """There is no usable toolchain in the folder. The message is one line for the operator."""


@dataclass(frozen=True)
class Toolchain:
    """How to call rustc, and where the sources of serde_json and its dependencies are."""

    rustc: str
    version: str
    target: str
    linker: str | None
    environment: dict[str, str]
    crates: str

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the folder's record. Raises ToolchainError when there is none or its rustc is gone."""
        try:
            toolchain = cls(**json.loads((folder / RECORD).read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise ToolchainError(f"{folder} holds no prepared Rust toolchain: {error}") from error
        if not Path(toolchain.rustc).is_file():
            raise ToolchainError(f"{toolchain.rustc}, named in {folder / RECORD}, is gone")
        return toolchain

    def save(self, folder: Path) -> None:
        """Write the folder's record, in one step."""
        unfinished = folder / f"{RECORD}.{os.getpid()}"
        unfinished.write_text(json.dumps(asdict(self), indent=2) + "\n")
        unfinished.replace(folder / RECORD)

    def with_crates(self, crates: Path) -> Self:
        """The same, once the sources are there."""
        return replace(self, crates=str(crates))

    @property
    def minor_version(self) -> int:
        """63 for rustc 1.63.0."""
        return int(self.version.split()[1].split(".")[1])

    @property
    def variables(self) -> dict[str, str]:
        """The environment of rustc. The flags of `command` are unstable, and it refuses them otherwise."""
        return {**self.environment, "RUSTC_BOOTSTRAP": "1"}

    def folders(self) -> tuple[str, ...]:
        """Where rustc, its linker and their libraries lie: what it has to read and run."""
        programs = [Path(program).resolve() for program in (self.rustc, self.linker) if program]
        libraries = self.environment.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        return (*(str(program.parents[1]) for program in programs), *filter(None, libraries))

    def command(self, *arguments: str) -> list[str]:
        """The command line that compiles for the target.

        Generic code is shared between crates and nothing is optimized across them: a script is then compiled
        in half the time. Names are mangled the old way, which the worker reads for its stack traces.
        """
        linker = ["-C", f"linker={self.linker}", "-C", "linker-flavor=wasm-ld"] if self.linker else []
        sharing = ["-Z", "share-generics=yes", "-C", "lto=off", "-C", "panic=abort"]
        names = ["-Z", "unstable-options", "-C", "symbol-mangling-version=legacy"]
        return [self.rustc, "--target", self.target, *linker, *sharing, *names, *arguments]


@dataclass(frozen=True)
class Glue:
    """serde_json and our `glue.rs`, compiled for one toolchain: what every script is linked to."""

    folder: Path

    @classmethod
    def of(cls, toolchain: Toolchain, folder: Path) -> Self:
        """The glue in a prepared toolchain's folder. Raises ToolchainError when it is not built or outdated."""
        glue = cls(cls.place(toolchain, folder))
        if not glue.folder.is_dir():
            raise ToolchainError(
                f"{folder} lacks the compiled glue: run python -m runtime.languages.rust.glue {folder}"
            )
        return glue

    @staticmethod
    def place(toolchain: Toolchain, folder: Path) -> Path:
        """Where it lies; elsewhere for another compiler, other flags, other sources."""
        digest = hashlib.sha256(repr(toolchain).encode())
        here = Path(__file__)
        for source in (*sorted(SOURCES.glob("*.rs")), here, here.with_name("glue.py")):
            digest.update(source.read_bytes())
        return folder / "glue" / digest.hexdigest()[:32]

    def arguments(self) -> list[str]:
        """What makes rustc see the crates that a script's crate uses by name."""
        names = ("serde_json", "lambda_glue")
        externs = [part for name in names for part in ("--extern", f"{name}={self.folder}/lib{name}.rlib")]
        return ["-L", f"dependency={self.folder}", *externs]
