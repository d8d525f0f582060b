"""The toolchain, the crates that scripts can use, and artifacts: compiled once, reused, signed by us."""

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gevent
import pytest
from wasmtime import Engine, Module

from runtime.languages.rust.toolchain import Toolchain
from runtime.settings import Settings
from tests.conftest import ROOT
from tests.integration.runtime.rust.conftest import HEAD, SIGNATURE, RustRuntime, Serve, script
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


ANSWER = script("    let _ = context; Ok(json!(42))")


@pytest.fixture(scope="module")
def compiled(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a runtime that has compiled ANSWER and ended."""
    state = tmp_path_factory.mktemp("compiled")
    with RustRuntime(replace(settings, state=state)) as runtime:
        assert runtime.prepare(ANSWER).json["artifact_cached"] is False
    return state


@pytest.fixture
def state(compiled: Path, tmp_path: Path) -> Path:
    """A copy of it, where `serve` starts its runtimes."""
    shutil.copytree(compiled, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def artifact(compiled: Path) -> str:
    """The artifact of ANSWER."""
    (portable,) = compiled.glob("rust/*.wasm")
    return base64.b64encode(portable.read_bytes()).decode()


def spoil(path: Path) -> bytes:
    """Flip one bit in the middle of a file and return the new content."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return bytes(content)


def test_concurrent_identical_scripts_are_compiled_once(serve: Serve, tmp_path: Path) -> None:
    runtime = serve()
    calls = [gevent.spawn(runtime.prepare, ANSWER) for _ in range(8)]
    gevent.joinall(calls, raise_error=True)
    answers = [call.get().json for call in calls]
    assert sorted(answer["artifact_cached"] for answer in answers) == [False] + [True] * 7
    assert len({answer["artifact"] for answer in answers}) == 1
    assert len(list(tmp_path.glob("rust/*.wasm"))) == 1


@pytest.mark.usefixtures("state")
def test_another_process_reads_artifacts_from_the_disk(serve: Serve) -> None:
    runtime = serve(rust_toolchain=None)
    assert runtime.prepare(ANSWER).json["artifact_cached"] is True
    assert runtime.run(ANSWER).json["result"] == 42


def test_without_a_compiler_an_unknown_script_is_unavailable(serve: Serve) -> None:
    answer = serve(rust_toolchain=None).prepare(ANSWER)
    assert (answer.status, answer.json["error"]["code"]) == (503, "RUNTIME_UNAVAILABLE")


def test_the_artifact_is_a_module_that_runs_elsewhere_without_a_compiler(serve: Serve, artifact: str) -> None:
    Module.validate(Engine(), base64.b64decode(artifact))
    elsewhere = serve(rust_toolchain=None)
    assert elsewhere.run(ANSWER).json["error"]["code"] == "SCRIPT_NEEDED"
    assert elsewhere.run(ANSWER, artifact=artifact).json["result"] == 42
    assert elsewhere.run(ANSWER).json["result"] == 42


def test_an_artifact_that_comes_with_the_source_saves_the_compiler(serve: Serve, artifact: str) -> None:
    assert serve(rust_toolchain=None).prepare(ANSWER, artifact=artifact).json == {
        "artifact_cached": True,
        "artifact": artifact,
    }


def test_an_artifact_with_another_secret_script_or_options_is_refused(
    serve: Serve, artifact: str, tmp_path: Path
) -> None:
    elsewhere = serve(rust_toolchain=None, state=tmp_path / "a", secret="another secret altogether")
    here = serve(rust_toolchain=None, state=tmp_path / "b")
    assert elsewhere.run(ANSWER, artifact=artifact).status == 409
    assert here.run(ANSWER + "//", artifact=artifact).status == 409
    assert here.run(ANSWER, artifact=artifact, compile_options={"features": ["x"]}).status == 409
    assert here.run(ANSWER, artifact=artifact).json["result"] == 42


def test_the_source_is_compiled_if_the_artifact_is_refused(serve: Serve) -> None:
    runtime = serve()
    forged = base64.b64encode(b"\x00asm\x01\x00\x00\x00").decode()
    assert runtime.run(ANSWER, artifact=forged).json["error"]["code"] == "SCRIPT_NEEDED"
    assert runtime.run(ANSWER, script_content=ANSWER).json["result"] == 42


def test_a_damaged_serialized_module_is_rebuilt_from_the_portable_one(serve: Serve, state: Path) -> None:
    (serialized,) = state.glob("rust/*.cwasm")
    spoilt = spoil(serialized)
    assert serve(rust_toolchain=None).run(ANSWER).json["result"] == 42
    assert serialized.read_bytes() != spoilt


def test_a_damaged_portable_module_is_compiled_again(serve: Serve, state: Path) -> None:
    (portable,) = state.glob("rust/*.wasm")
    spoil(portable)
    assert serve(rust_toolchain=None).run(ANSWER).json["error"]["code"] == "SCRIPT_NEEDED"
    assert serve().prepare(ANSWER).json["artifact_cached"] is False
