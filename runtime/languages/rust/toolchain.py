"""A prepared Rust toolchain: a folder with a `toolchain.json`, which says how to call rustc for a WASI target.

`python -m local.fetch.rust_toolchain DIR` creates one. `python -m runtime.languages.rust.glue DIR` adds the libraries
that are linked to every script.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

#: Names of the target: the first one since Rust 1.78, the second one before.
WASI_TARGETS = ("wasm32-wasip1", "wasm32-wasi")

RECORD = "toolchain.json"

#: The folder of our Rust sources.
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
        """Read the folder's record.

        Raises:
            ToolchainError: There is no valid record, or its rustc does not exist any more.
        """
        try:
            toolchain = cls(**json.loads((folder / RECORD).read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise ToolchainError(f"{folder} holds no prepared Rust toolchain: {error}") from error
        if not Path(toolchain.rustc).is_file():
            raise ToolchainError(f"{toolchain.rustc}, named in {folder / RECORD}, is gone")
        return toolchain

    def save(self, folder: Path) -> None:
        """Write the folder's record atomically."""
        unfinished = folder / f"{RECORD}.{os.getpid()}"
        unfinished.write_text(json.dumps(asdict(self), indent=2) + "\n")
        unfinished.replace(folder / RECORD)

    def with_crates(self, crates: Path) -> Self:
        """Return the toolchain with another folder of sources."""
        return replace(self, crates=str(crates))

    @property
    def minor_version(self) -> int:
        """The compiler's minor version: 63 for rustc 1.63.0."""
        return int(self.version.split()[1].split(".")[1])

    @property
    def variables(self) -> dict[str, str]:
        """The environment of rustc, including the permission to use the unstable flags of `command`."""
        return {**self.environment, "RUSTC_BOOTSTRAP": "1"}

    def folders(self) -> tuple[str, ...]:
        """Return the folders of rustc, its linker and their libraries, which it must read and execute."""
        programs = [Path(program).resolve() for program in (self.rustc, self.linker) if program]
        libraries = self.environment.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        return (*(str(program.parents[1]) for program in programs), *filter(None, libraries))

    def command(self, *arguments: str) -> list[str]:
        """Return a command line that compiles for the target.

        Crates share generic code and are not optimized across each other, which halves the time of a compilation.
        Symbol names have the legacy form, which the worker reads for its stack traces.
        """
        linker = ["-C", f"linker={self.linker}", "-C", "linker-flavor=wasm-ld"] if self.linker else []
        sharing = ["-Z", "share-generics=yes", "-C", "lto=off", "-C", "panic=abort"]
        names = ["-Z", "unstable-options", "-C", "symbol-mangling-version=legacy"]
        return [self.rustc, "--target", self.target, *linker, *sharing, *names, *arguments]


@dataclass(frozen=True)
class Glue:
    """serde_json and our `glue.rs`, compiled for one toolchain. They are linked to every script."""

    folder: Path

    @classmethod
    def of(cls, toolchain: Toolchain, folder: Path) -> Self:
        """Return the glue in a prepared toolchain's folder.

        Raises:
            ToolchainError: It is not built, or outdated.
        """
        glue = cls(cls.place(toolchain, folder))
        if not glue.folder.is_dir():
            raise ToolchainError(
                f"{folder} lacks the compiled glue: run python -m runtime.languages.rust.glue {folder}"
            )
        return glue

    @staticmethod
    def place(toolchain: Toolchain, folder: Path) -> Path:
        """Return its folder, which depends on the compiler, its flags and our sources."""
        digest = hashlib.sha256(repr(toolchain).encode())
        here = Path(__file__)
        for source in (*sorted(SOURCES.glob("*.rs")), here, here.with_name("glue.py")):
            digest.update(source.read_bytes())
        return folder / "glue" / digest.hexdigest()[:32]

    def arguments(self) -> list[str]:
        """Return the arguments by which rustc finds the crates that a script may use."""
        names = ("serde_json", "lambda_glue")
        externs = [part for name in names for part in ("--extern", f"{name}={self.folder}/lib{name}.rlib")]
        return ["-L", f"dependency={self.folder}", *externs]
