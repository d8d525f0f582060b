"""Programs that are built once."""

from pathlib import Path

import pytest

from local.fetch.command import UnavailableError
from local.fetch.go_programs import built


def test_a_program_is_built_again_when_its_sources_have_changed(tmp_path: Path) -> None:
    sources, program = tmp_path / "sources", tmp_path / "bin" / "program"
    sources.mkdir()
    (sources / "go.mod").write_text("module one")
    builds: list[Path] = []

    def build(target: Path) -> None:
        builds.append(target)
        target.write_text("program")

    assert built(program, sources, build) == program
    assert built(program, sources, build) == program
    assert len(builds) == 1
    (sources / "notes.txt").write_text("no source")
    built(program, sources, build)
    assert len(builds) == 1
    (sources / "go.mod").write_text("module two")
    built(program, sources, build)
    assert len(builds) == 2
    program.unlink()
    built(program, sources, build)
    assert builds == [program] * 3


def test_what_was_not_built_is_not_taken_for_current(tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise UnavailableError("no compiler")

    for _ in range(2):
        with pytest.raises(UnavailableError, match="no compiler"):
            built(tmp_path / "bin" / "program", tmp_path, fail)
