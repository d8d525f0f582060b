"""Compiles the glue, the libraries linked to every script: `python -m runtime.languages.rust.glue DIR`.

It is compiled once per toolchain. serde_json and its dependencies are compiled by rustc directly, because a
distribution's compiler may lack cargo, and the host's linker that build scripts need. The settings that build scripts
would detect follow from the compiler's version and the target, which is always 32-bit WebAssembly.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from runtime.languages.rust.toolchain import SOURCES, Glue, Toolchain, ToolchainError

#: The crates in the order of their dependencies: each group depends on earlier groups only.
CRATES = (("serde", "memchr", "itoa", "ryu"), ("serde_json",))

#: Features of the crates. With `float_roundtrip` and `arbitrary_precision` numbers are read exactly, whatever their
#: length. `unbounded_depth` lets the glue read what the front has let pass.
FEATURES = {
    "serde": ("std",),
    "serde_json": ("std", "float_roundtrip", "arbitrary_precision", "unbounded_depth"),
}

#: What is changed in the sources of a crate: a pattern, and what replaces it. See docs/adr/0023.
PATCHES = {
    "serde_json": {
        # A number that JSON does not have stays a number, instead of becoming null unnoticed.
        r"Number::from_f(?:32|64)\((\w+)\)\.map_or\(Value::Null, Value::Number\)": (
            r"Value::Number(Number::from_f64(f64::from(\1))"
            r".unwrap_or_else(|| Number::from_string_unchecked(\1.to_string())))"
        ),
        # A number that is a number already is not read again: that would refuse it.
        r"let n = tri!\(value\.to_owned\(\)\.parse\(\)\);": (
            "let n = Number::from_string_unchecked(value.to_owned());"
        ),
    }
}
_PATCHED_FILES = ("src/value/from.rs", "src/value/ser.rs")

#: Settings that the build script of a crate would detect.
SETTINGS = {"serde_json": ('fast_arithmetic="64"', "limb_width_64")}

#: Settings for compilers before a minor version, which lack a feature that serde uses. Older serdes ignore them.
SERDE_LACKS = {
    "no_core_cstr": 64,
    "no_core_num_saturating": 74,
    "no_core_net": 77,
    "no_diagnostic_namespace": 78,
    "no_core_error": 81,
}

#: Most seconds for the compilation of one crate.
TIMEOUT = 300


def build(toolchain: Toolchain, folder: Path) -> Glue:
    """Compile the glue for the toolchain in `folder`, unless that is done already.

    Raises:
        ToolchainError: A crate does not compile.
    """
    try:
        return Glue.of(toolchain, folder)
    except ToolchainError:
        finished = Glue.place(toolchain, folder)
    shutil.rmtree(finished.parent, ignore_errors=True)
    unfinished = finished.with_suffix(".part")
    unfinished.mkdir(parents=True)
    crates = _Crates(toolchain, unfinished)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for level in CRATES:
            list(threads.map(crates.compile, level))
    crates.rlib("lambda_glue", SOURCES / "glue.rs", ["--edition", "2021"], ["serde", "serde_json"])
    shutil.rmtree(crates.patched)
    unfinished.rename(finished)
    return Glue(finished)


@dataclass(frozen=True)
class _Crates:
    """Crates being compiled into one folder."""

    toolchain: Toolchain
    folder: Path

    def compile(self, name: str) -> None:
        """Compile a crate if its sources exist: the required crates depend on the version of serde_json."""
        source = next(Path(self.toolchain.crates).glob(f"{name}-[0-9]*"), None)
        if source is None:
            return
        if name in PATCHES:
            source = self._patched(name, source)
        manifest = tomllib.loads((source / "Cargo.toml").read_text())
        settings = [f'feature="{feature}"' for feature in FEATURES.get(name, ())] + list(
            SETTINGS.get(name, ())
        )
        if name == "serde":
            settings += [lack for lack, minor in SERDE_LACKS.items() if self.toolchain.minor_version < minor]
        options = ["--edition", manifest["package"].get("edition", "2015")]
        options += [part for setting in settings for part in ("--cfg", setting)]
        dependencies = [name for name in manifest.get("dependencies", {}) if self._path(name).is_file()]
        self.rlib(name, source / "src/lib.rs", options, dependencies)

    @property
    def patched(self) -> Path:
        """The folder of the sources that are changed before they are compiled."""
        return self.folder / "patched"

    def _patched(self, name: str, source: Path) -> Path:
        """Return a copy of a crate's sources with its changes.

        Raises:
            ToolchainError: The sources have nothing that a change applies to.
        """
        copy = self.patched / source.name
        shutil.copytree(source, copy)
        files = {copy / file: (copy / file).read_text() for file in _PATCHED_FILES}
        for pattern, replacement in PATCHES[name].items():
            if not any(re.search(pattern, text) for text in files.values()):
                raise ToolchainError(f"{source.name} cannot be changed: it has nothing like {pattern}")
            files = {file: re.sub(pattern, replacement, text) for file, text in files.items()}
        for file, text in files.items():
            file.write_text(text)
        return copy

    def rlib(self, name: str, source: Path, options: list[str], dependencies: list[str]) -> None:
        """Compile one library, without this machine's paths: users would see them in diagnostics."""
        externs = [part for crate in dependencies for part in ("--extern", f"{crate}={self._path(crate)}")]
        command = self.toolchain.command(
            *("--crate-type", "rlib", "--crate-name", name, "-C", "opt-level=2", "--cap-lints", "allow"),
            *(
                "-L",
                f"dependency={self.folder}",
                *externs,
                "-o",
                str(self._path(name)),
                *options,
                str(source),
            ),
            f"--remap-path-prefix={self.toolchain.crates}=crates",
            f"--remap-path-prefix={self.patched}=crates",
            f"--remap-path-prefix={SOURCES}=glue",
        )
        environment = {**os.environ, **self.toolchain.variables}
        try:
            subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            reason = next(iter(error.stderr.splitlines()), "no reason given")
            raise ToolchainError(f"{name} cannot be compiled: {reason}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolchainError(f"{name} cannot be compiled: {error}") from error

    def _path(self, crate: str) -> Path:
        return self.folder / f"lib{crate}.rlib"


def main() -> int:
    """Build the glue of the toolchain named on the command line. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m runtime.languages.rust.glue", description=__doc__)
    parser.add_argument("folder", type=Path, help="a prepared toolchain")
    folder = parser.parse_args().folder.absolute()
    try:
        toolchain = Toolchain.load(folder)
        if not Glue.place(toolchain, folder).is_dir():
            print("rust: compiling serde_json and the glue, once", flush=True)
        build(toolchain, folder)
    except ToolchainError as error:
        print(f"rust: {error}", file=sys.stderr)
        return 1
    print("rust: the glue is ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())
