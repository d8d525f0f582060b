"""Artifacts are compiled once, reused, and accepted only with our signature."""

import base64
import shutil
from dataclasses import replace
from pathlib import Path

import gevent
import pytest
from wasmtime import Engine, Module

from runtime.settings import Settings
from tests.integration.runtime.rust.conftest import RustRuntime, Serve, script

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
