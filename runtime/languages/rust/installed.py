"""Records the rustc on PATH as a prepared toolchain: `python -m runtime.languages.rust.installed DIR`.

It is for images in which packages provide the compiler, a WASI standard library and wasm-ld.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from runtime.languages.rust.toolchain import WASI_TARGETS, Toolchain, ToolchainError

#: Most seconds for one call of rustc.
TIMEOUT = 20
#: The variable by which the compiler finds its libraries if they are not in the default folders.
LIBRARIES = "LD_LIBRARY_PATH"


def installed(crates: Path) -> Toolchain:
    """Return the toolchain of the compiler on PATH, with the sources in `crates`.

    Raises:
        ToolchainError: The compiler, its linker, its WASI library or the sources are missing.
    """
    rustc, linker = shutil.which("rustc"), shutil.which("wasm-ld")
    if rustc is None or linker is None:
        raise ToolchainError(f"there is no {'wasm-ld' if rustc else 'rustc'} on PATH")
    if not any(crates.glob("serde_json-*/Cargo.toml")):
        raise ToolchainError(f"{crates} has no sources of serde_json")
    return Toolchain(
        rustc=rustc,
        version=_answer(rustc, "--version"),
        target=_target(Path(_answer(rustc, "--print", "sysroot"))),
        linker=linker,
        environment={LIBRARIES: os.environ[LIBRARIES]} if LIBRARIES in os.environ else {},
        crates=str(crates),
    )


def _target(sysroot: Path) -> str:
    for name in WASI_TARGETS:
        if any(sysroot.glob(f"lib/rustlib/{name}/lib/libstd-*")):
            return name
    raise ToolchainError(f"{sysroot} has no standard library for {' or '.join(WASI_TARGETS)}")


def _answer(rustc: str, *question: str) -> str:
    try:
        return subprocess.check_output([rustc, *question], text=True, timeout=TIMEOUT).strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolchainError(f"{rustc} does not answer: {error}") from error


def main() -> int:
    """Record the toolchain in the folder named on the command line. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m runtime.languages.rust.installed", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--crates", type=Path, required=True, help="sources of serde_json and what it needs, a folder each"
    )
    arguments = parser.parse_args()
    try:
        toolchain = installed(arguments.crates)
    except ToolchainError as error:
        print(f"rust: {error}", file=sys.stderr)
        return 1
    toolchain.save(arguments.folder)
    print(f"rust: {toolchain.version} for {toolchain.target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
