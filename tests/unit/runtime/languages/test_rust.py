"""Rust: the codes on artifacts and their store, compile options and diagnostics, and the record of a toolchain."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import InitializationFailed
from runtime.languages.rust.artifacts import ArtifactStore, Seal
from runtime.languages.rust.compiler import Options, compile_failure
from runtime.languages.rust.toolchain import Glue, Toolchain, ToolchainError

MODULE = b"\x00asm\x01\x00\x00\x00"
ENGINE = {"consume_fuel": True}


def test_a_sealed_module_opens_for_its_purpose_only() -> None:
    seal = Seal("secret")
    sealed = seal.sealed("one", MODULE)
    assert seal.opened("one", sealed) == MODULE
    assert seal.opened("two", sealed) is None
    assert Seal("another").opened("one", sealed) is None


def test_a_change_of_any_byte_is_detected() -> None:
    seal = Seal("secret")
    sealed = seal.sealed("one", MODULE)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        assert seal.opened("one", bytes(changed)) is None
    assert seal.opened("one", sealed[:-1]) is None
    assert seal.opened("one", b"") is None


def test_a_portable_artifact_is_found_by_script_and_options(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "rust", "secret", ENGINE)
    artifact = store.sign("hash", "options", MODULE)
    assert store.portable("hash", "options") is None
    store.keep_portable("hash", "options", artifact)
    assert ArtifactStore(tmp_path / "rust", "secret", ENGINE).portable("hash", "options") == artifact
    assert store.portable("hash", "others") is None
    assert ArtifactStore(tmp_path / "rust", "another", ENGINE).portable("hash", "options") is None


def test_the_code_is_a_section_that_ends_the_module(tmp_path: Path) -> None:
    artifact = ArtifactStore(tmp_path, "secret", ENGINE).sign("hash", "options", MODULE)
    section = artifact.removeprefix(MODULE)
    custom, length, name_length = section[:3]
    assert (custom, length, section[3 : 3 + name_length]) == (0, len(section) - 2, b"lambda.hmac")


def test_a_changed_serialized_module_is_not_returned(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "secret", ENGINE)
    path = store.keep_serialized(b"artifact", b"machine code")
    assert store.serialized(b"artifact") == path
    assert store.serialized(b"another") is None
    path.write_bytes(path.read_bytes().replace(b"code", b"c0de"))
    assert store.serialized(b"artifact") is None


def test_a_serialized_module_fits_only_its_engine(tmp_path: Path) -> None:
    ArtifactStore(tmp_path, "secret", ENGINE).keep_serialized(b"artifact", b"machine code")
    assert ArtifactStore(tmp_path, "secret", {"consume_fuel": False}).serialized(b"artifact") is None
    assert ArtifactStore(tmp_path, "secret", ENGINE).serialized(b"artifact") is not None


def test_only_the_files_used_last_are_kept(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "secret", ENGINE, max_files=10)
    for number in range(10):
        os.utime(store.keep_serialized(bytes([number]), b"module"), (number, number))
    assert store.serialized(bytes([0])) is not None  # which is a use
    store.keep_serialized(b"new", b"module")
    kept = [number for number in range(10) if store.serialized(bytes([number]))]
    assert kept == [0, *range(3, 10)]
    assert store.serialized(b"new") is not None


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


@pytest.fixture
def toolchain(tmp_path: Path) -> Toolchain:
    rustc = tmp_path / "rustc"
    rustc.touch()
    return Toolchain(
        str(rustc), "rustc 1.85.1 (Debian)", "wasm32-wasip1", None, {"LD_LIBRARY_PATH": "/x"}, "/crates"
    )


def test_a_record_is_read_as_it_was_written(toolchain: Toolchain, tmp_path: Path) -> None:
    toolchain.save(tmp_path)
    assert Toolchain.load(tmp_path) == toolchain
    assert [path.name for path in tmp_path.glob("*.json*")] == ["toolchain.json"]


def test_a_folder_without_a_record_is_no_toolchain(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="no prepared Rust toolchain"):
        Toolchain.load(tmp_path)


def test_a_record_of_a_missing_compiler_is_refused(toolchain: Toolchain, tmp_path: Path) -> None:
    toolchain.save(tmp_path)
    Path(toolchain.rustc).unlink()
    with pytest.raises(ToolchainError, match="gone"):
        Toolchain.load(tmp_path)


def test_the_minor_version_is_read_from_the_version(toolchain: Toolchain) -> None:
    assert toolchain.minor_version == 85


def test_the_command_names_a_linker_only_if_there_is_one(toolchain: Toolchain) -> None:
    assert "linker-flavor=wasm-ld" not in toolchain.command()
    assert "linker=/bin/wasm-ld" in replace(toolchain, linker="/bin/wasm-ld").command()


def test_the_glue_of_another_compiler_does_not_fit(toolchain: Toolchain, tmp_path: Path) -> None:
    Glue.place(toolchain, tmp_path).mkdir(parents=True)
    assert Glue.of(toolchain, tmp_path).folder.is_dir()
    with pytest.raises(ToolchainError, match=r"rust\.glue"):
        Glue.of(replace(toolchain, version="rustc 1.86.0"), tmp_path)
