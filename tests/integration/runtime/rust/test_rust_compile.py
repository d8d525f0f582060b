"""Which scripts compile, and the errors of those that do not."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.settings import Settings
from tests.integration.runtime.rust.conftest import HEAD, RustRuntime, Serve, script

ONE = script("    let _ = context; Ok(json!(1))")


@pytest.fixture(scope="module")
def rust(settings: Settings) -> Iterator[RustRuntime]:
    """A runtime that has compiled nothing yet."""
    with RustRuntime(settings) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def patient(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RustRuntime]:
    """A runtime that gives the compiler more time than a busy machine takes."""
    state = tmp_path_factory.mktemp("patient")
    with RustRuntime(replace(settings, state=state, compile_timeout=300_000)) as runtime:
        yield runtime


def refusal(rust: RustRuntime, content: str, **compile_options: Any) -> dict[str, Any]:
    answer = rust.prepare(content, **compile_options)
    assert answer.status == 400, answer.json
    error: dict[str, Any] = answer.json["error"]
    assert error["code"] == "INITIALIZATION_ERROR"
    assert error["details"]["stage"] == "compile"
    assert "lambda_glue::entry" not in str(error)
    return error


def test_both_names_of_the_target_give_the_same_artifact(rust: RustRuntime) -> None:
    content = script("    let _ = context; Ok(json!(2))")
    assert rust.prepare(content, target="wasm32-wasi").json["artifact_cached"] is False
    assert rust.prepare(content, target="wasm32-wasip1").json["artifact_cached"] is True


def test_debug_checks_for_overflow_and_release_does_not(rust: RustRuntime) -> None:
    overflowing = script("    Ok(json!(context.len() as u8 + 254))")
    debug = rust.prepared(overflowing, compile_options={"optimization_level": "debug"})
    release = rust.prepared(overflowing, compile_options={"optimization_level": "release"})
    assert debug.json["error"]["message"] == "attempt to add with overflow"
    assert release.json["result"] == 0


def test_features_switch_code_on(rust: RustRuntime) -> None:
    content = script('    let _ = context; Ok(json!([cfg!(feature = "fast"), cfg!(feature = "slow")]))')
    assert rust.prepared(content, compile_options={"features": ["fast"]}).json["result"] == [True, False]
    assert rust.prepared(content, compile_options={"features": []}).json["result"] == [False, False]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"target": "x86_64-unknown-linux-gnu"}, "wasm32-wasip1"),
        ({"optimization_level": "fastest"}, "release"),
        ({"features": ['fast" --cfg "evil']}, "names"),
    ],
)
def test_options_that_are_not_supported_are_refused_with_those_that_are(
    rust: RustRuntime, options: dict[str, Any], word: str
) -> None:
    error = refusal(rust, ONE, **options)
    assert word in error["message"]
    assert any(word in supported for supported in error["details"]["supported"])


def test_an_error_has_its_line_and_column_and_all_diagnostics(rust: RustRuntime) -> None:
    error = refusal(rust, script('    let number: u32 = "text";\n    Ok(unknown(number, context))'))
    details = error["details"]
    places = {
        (found["line"], found["column"]) for found in details["diagnostics"] if found["level"] == "error"
    }
    assert places == {(4, 23), (5, 8)}
    assert (details["line"], details["column"]) in places
    assert all("script.rs" in found["rendered"] for found in details["diagnostics"])


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        ("fn 1st() {}", 1, 4),
        (ONE + "}\nfn escaped() {", 6, 1),
        (HEAD + "fn open() {", 3, 12),
        ("\ufeff" + script("    let _ = context;\n    nope").replace("\n", "\r\n"), 5, 5),
        (HEAD + 'fn f() { println!("{}", nope); }', 3, 25),
    ],
)
def test_a_script_that_does_not_parse_is_refused_with_its_place(
    rust: RustRuntime, content: str, line: int, column: int
) -> None:
    details = refusal(rust, content)["details"]
    assert details["line"] == line
    assert details["column"] == column


@pytest.mark.parametrize(
    ("content", "words", "line"),
    [
        ("", "there is no function `handler`", None),
        ("\nfn handler() {}", "`handler` has another form", 2),
        (HEAD + "pub fn handler(v: Value) -> Result<Value, String> { Ok(v) }", "found fn item `fn(Value)", 3),
        (
            HEAD + "pub async fn handler(_: Map<String, Value>) -> Result<Value, String> { Ok(json!(1)) }",
            "Future",
            3,
        ),
        (
            HEAD + "pub struct Handler;\npub const handler: Handler = Handler;",
            "`handler` has another form",
            None,
        ),
    ],
)
def test_a_handler_of_another_form_is_explained(
    rust: RustRuntime, content: str, words: str, line: int | None
) -> None:
    error = refusal(rust, content)
    assert words in error["message"]
    assert "pub fn handler(context: serde_json::Map<String, serde_json::Value>)" in error["message"]
    assert error["details"]["line"] == line


def test_undefined_functions_are_refused(rust: RustRuntime) -> None:
    importing = 'extern "C" { fn nowhere() -> u32; }\n' + script(
        "    let _ = context; Ok(json!(unsafe { nowhere() }))"
    )
    assert "env.nowhere" in refusal(rust, importing)["message"]


def test_the_compiler_sees_nothing_of_our_environment(rust: RustRuntime) -> None:
    error = refusal(rust, script('    let _ = context; Ok(json!(env!("RUNTIME_SECRET")))'))
    assert "`RUNTIME_SECRET` not defined" in error["message"]


def test_no_path_of_this_machine_is_shown(rust: RustRuntime) -> None:
    error = refusal(rust, script('    let x: String = json!({"a": context}); serde_json::from_str::<u8>(1)'))
    assert str(rust.settings.state) not in str(error)
    assert str(rust.settings.rust_toolchain) not in str(error)


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/pagemap"])
def test_a_file_without_an_end_is_not_read(rust: RustRuntime, path: str) -> None:
    started = time.monotonic()
    error = refusal(rust, script(f'    let _ = context; Ok(json!(include_bytes!("{path}").len()))'))
    assert f"couldn't read {path}" in error["message"]
    assert error["details"]["line"] == 4
    assert time.monotonic() - started < 60
    assert rust.prepared(ONE).json["result"] == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            f"macro_rules! b {{ ($($t:tt)*) => {{ b! {{ {'$($t)* ' * 16} }} }} }}\nb! {{ x x }}\n" + ONE,
            "more memory",
        ),
        (
            "static A: [u8; 66 << 20] = [1; 66 << 20];\n" + script("    Ok(json!(A[context.len()]))"),
            "too large",
        ),
        (script(f"    let _ = context; Ok(json!({'(' * 20_000}1{')' * 20_000}))"), "nested too deeply"),
    ],
    ids=["memory", "files", "stack"],
)
def test_a_script_that_exhausts_the_compiler_is_refused(
    patient: RustRuntime, content: str, reason: str
) -> None:
    assert reason in refusal(patient, content)["message"]
    assert patient.prepared(ONE).json["result"] == 1


def test_a_compiler_that_takes_too_long_is_ended(serve: Serve, tmp_path: Path) -> None:
    runtime = serve(compile_timeout=1)
    assert "took longer than 1 ms" in refusal(runtime, ONE)["message"]
    assert not list(tmp_path.glob("rust/*"))
