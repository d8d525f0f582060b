"""Programs of the distribution: this machine's own first, then what was unpacked before."""

from pathlib import Path

import pytest

from local.fetch.debian_program import debian_program

NAME = "a-program-that-no-machine-has"


def placed(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_one_of_the_machine_needs_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = placed(tmp_path / "bin" / NAME)
    monkeypatch.setenv("PATH", str(own.parent))

    found = debian_program(NAME, "no-such-package", tmp_path / "packages")

    assert (found.path, found.environment) == (own, {})
    assert not (tmp_path / "packages").exists()


@pytest.mark.parametrize("place", ["usr/bin", "usr/sbin"])
def test_one_that_was_unpacked_is_not_fetched_again(tmp_path: Path, place: str) -> None:
    unpacked = placed(tmp_path / "root" / place / NAME)
    library = placed(tmp_path / "root" / "usr/lib/somewhere/libthing.so.1")

    found = debian_program(NAME, "no-such-package", tmp_path)

    assert found.path == unpacked
    assert found.environment == {"LD_LIBRARY_PATH": str(library.parent)}


def test_a_variable_names_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = placed(tmp_path / "bin" / NAME)
    monkeypatch.setenv("PATH", str(own.parent))
    monkeypatch.setenv(NAME.upper(), "/opt/another")

    assert debian_program(NAME, "no-such-package", tmp_path).path == Path("/opt/another")
