"""Every Dockerfile of the repository, in the eyes of hadolint."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCKERFILES = [*ROOT.glob("deploy/**/Dockerfile"), *ROOT.glob("template/*/Dockerfile")]
HADOLINT = Path(sys.executable).with_name("hadolint")


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    assert _complaints(dockerfile.relative_to(ROOT)) == ""


def test_hadolint_finds_what_is_wrong(tmp_path: Path) -> None:
    spoilt = tmp_path / "Dockerfile"
    spoilt.write_text("FROM python\nRUN cd /tmp && sudo true\n")

    assert "DL3006" in _complaints(spoilt)


def _complaints(dockerfile: Path) -> str:
    """Read with .hadolint.yaml of the repository's root."""
    command = [str(HADOLINT), "--no-color", str(dockerfile)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr
