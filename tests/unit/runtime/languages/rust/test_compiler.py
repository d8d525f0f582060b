"""Compile options, and rustc's messages as diagnostics of the contract."""

import json
from typing import Any

import pytest

from runtime.errors import InitializationFailed
from runtime.languages.rust.compiler import Options, compile_failure

#: A script of nine lines.
SCRIPT = "use x;\n" * 8 + "fn f("


def message(text: str, *, file: str | None, line: int = 1, column: int = 1, **more: Any) -> dict[str, Any]:
    """A message as rustc prints it."""
    span = {
        "file_name": file,
        "line_start": line,
        "column_start": column,
        "is_primary": True,
        "expansion": None,
    }
    defaults: dict[str, Any] = {
        "level": "error",
        "code": None,
        "children": [],
        "rendered": f"rendered {text}",
    }
    return {**defaults, "message": text, "spans": [span] if file else [], **more}


def lines(*messages: dict[str, Any]) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in messages)


def test_options_that_mean_the_same_have_one_text() -> None:
    defaults = Options.of({})
    spelt_out = Options.of({"optimization_level": "release", "features": [], "target": "wasm32-wasi"})
    assert defaults.text == spelt_out.text
    assert Options.of({"features": ["b", "a", "b"]}).text == Options.of({"features": ["a", "b"]}).text
    assert Options.of({"features": ["a"]}).text != defaults.text


def test_options_can_be_read_from_their_text() -> None:
    options = Options.of({"optimization_level": "debug", "features": ["a"]})
    assert Options.read(options.text) == options


@pytest.mark.parametrize(
    "options",
    [
        {"target": "wasm32-unknown-unknown"},
        {"optimization_level": 3},
        {"optimization_level": ["debug"]},
        {"target": False},
        {"features": ["a b"]},
        {"features": [1]},
        {"features": {"a": 1}},
        {"features": [f"f{number}" for number in range(33)]},
    ],
)
def test_other_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InitializationFailed) as caught:
        Options.of(options)
    assert next(iter(options)) in caught.value.message
    assert caught.value.details["supported"]


def test_the_first_error_comes_first_and_warnings_follow() -> None:
    output = lines(
        message("unused", file="script.rs", level="warning"),
        message("wrong", file="script.rs", line=7, column=3),
        message("aborting due to 1 previous error; 1 warning emitted", file=None),
    )
    refused = compile_failure(SCRIPT, output, 1)
    assert (refused.message, refused.details["line"], refused.details["column"]) == ("wrong", 7, 3)
    assert [found["message"] for found in refused.details["diagnostics"]] == ["wrong", "unused"]


def test_an_error_inside_a_macro_has_the_place_where_it_was_used() -> None:
    in_macro = message("no", file="/somewhere/macros.rs", line=900)
    in_macro["spans"][0]["expansion"] = {"span": message("", file="script.rs", line=4, column=9)["spans"][0]}
    details = compile_failure(SCRIPT, lines(in_macro), 1).details
    assert (details["line"], details["column"]) == (4, 9)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("E0425", "there is no function `handler`"),
        ("E0308", "`handler` has another form"),
    ],
)
def test_an_error_in_our_line_is_one_of_the_handler(code: str, words: str) -> None:
    at_end = message("rustc's words", file="script.rs", line=10, column=23, code={"code": code})
    refused = compile_failure(SCRIPT, lines(at_end), 1)
    assert words in refused.message
    assert refused.details["line"] is None


def test_a_script_without_an_end_has_its_place_at_its_end() -> None:
    at_end = message("this file contains an unclosed delimiter", file="script.rs", line=11)
    details = compile_failure(SCRIPT, lines(at_end), 1).details
    assert (details["line"], details["column"]) == (9, 6)


def test_output_of_the_linker_is_not_shown() -> None:
    refused = compile_failure(
        "", lines(message("linking with `/secret/wasm-ld` failed: exit status: 1", file=None)), 1
    )
    assert refused.message == "the compiled script cannot be linked"
    assert "/secret" not in str(refused.details)


@pytest.mark.parametrize(("status", "words"), [(-9, "signal 9"), (101, "status 101")])
def test_a_compiler_that_died_without_output_has_an_error(status: int, words: str) -> None:
    refused = compile_failure("", 'thread panicked\n{"level": "err', status)
    assert words in refused.message
    assert refused.details["stage"] == "compile"
