"""The toolchain: preparing it, the errors of a machine without one, and the crates that scripts can use."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.languages.rust.toolchain import Toolchain
from runtime.settings import Settings
from tests.conftest import ROOT
from tests.integration.runtime.rust.conftest import HEAD, SIGNATURE
from tests.integration.runtime.served import ServedRuntime, document


def run(module: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    environment = {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_prepared_folder_is_left_as_it_is(rust_toolchain: Path) -> None:
    record = (rust_toolchain / "toolchain.json").read_bytes()
    prepared = run("local.fetch.rust_toolchain", rust_toolchain)
    built = run("runtime.languages.rust.glue", rust_toolchain)
    assert (prepared.returncode, built.returncode) == (0, 0), prepared.stderr + built.stderr
    assert len(prepared.stdout.splitlines()) == 1
    assert (rust_toolchain / "toolchain.json").read_bytes() == record


def test_a_machine_without_a_compiler_gets_an_error_of_one_line(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    done = run("local.fetch.rust_toolchain", tmp_path / "rust", "--route", "rustup", PATH=str(nothing))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "no compiler with a WASI target" in done.stderr


def test_an_unprepared_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    done = run("runtime.languages.rust.glue", tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "no prepared Rust toolchain" in done.stderr


def test_the_compiler_makes_what_the_record_says(rust_toolchain: Path, tmp_path: Path) -> None:
    toolchain = Toolchain.load(rust_toolchain)
    source = tmp_path / "answer.rs"
    source.write_text('#[no_mangle] pub extern "C" fn answer() -> i32 { 42 }\n')
    command = toolchain.command("--crate-type", "cdylib", "-o", str(tmp_path / "answer.wasm"), str(source))
    subprocess.run(command, env={**os.environ, **toolchain.variables}, check=True)
    assert (tmp_path / "answer.wasm").read_bytes().startswith(b"\x00asm")


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[ServedRuntime]:
    with ServedRuntime("rust", settings) as runtime:
        yield runtime


def using(*crates: str) -> str:
    declared = "".join(f"extern crate {crate};\n" for crate in crates)
    return f"{HEAD}{declared}{SIGNATURE}{{ let _ = context; Ok(json!(1)) }}\n"


def test_listed_crates_can_be_used(served: ServedRuntime, rust_toolchain: Path) -> None:
    listed = document(served.get("/libraries"))
    assert listed["version"] in Toolchain.load(rust_toolchain).version
    (package,) = listed["packages"]
    assert package["name"] == "serde_json"
    assert package["version"].startswith("1.")
    assert served.result(using(*listed["standard_library"], package["name"])) == 1


@pytest.mark.parametrize("crate", ["serde", "rand"])
def test_crates_that_are_not_listed_cannot_be_used(served: ServedRuntime, crate: str) -> None:
    error = document(served.prepare(using(crate)))["error"]
    assert error["code"] == "INITIALIZATION_ERROR"
    assert crate in error["message"]


def test_without_a_compiler_no_crates_are_listed(settings: Settings, tmp_path: Path) -> None:
    with ServedRuntime("rust", replace(settings, rust_toolchain=None, state=tmp_path)) as runtime:
        listed = document(runtime.get("/libraries"))
    assert listed == {"language": "rust", "version": None, "standard_library": [], "packages": []}
