"""Chromium: the one that a variable names, else the machine's own, else what was unpacked before, with its fonts."""

from pathlib import Path

import pytest

from local.fetch import chromium


def placed(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _machine_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")


def test_a_variable_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/opt/chromium")
    assert chromium.program(tmp_path).path == Path("/opt/chromium")


@pytest.mark.parametrize("name", chromium.OWN)
def test_the_machines_own_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    own = placed(tmp_path / "bin" / name)
    monkeypatch.setenv("PATH", str(own.parent))
    found = chromium.program(tmp_path / "packages")
    assert (found.path, found.environment) == (own, {})


def test_the_program_is_taken_and_not_the_script_that_names_an_installed_one(tmp_path: Path) -> None:
    placed(tmp_path / "root/usr/bin" / chromium.PACKAGE)
    unpacked = placed(tmp_path / "root/usr/lib/chromium" / chromium.PACKAGE)
    found = chromium.program(tmp_path)
    assert found.path == unpacked
    assert str(tmp_path / "root/usr/share/fonts") in Path(found.environment["FONTCONFIG_FILE"]).read_text()
