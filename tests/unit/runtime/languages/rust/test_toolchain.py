"""The record of a prepared toolchain."""

from dataclasses import replace
from pathlib import Path

import pytest

from runtime.languages.rust.toolchain import Glue, Toolchain, ToolchainError


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
