"""Folders that other accounts reach, as the service's state must be."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.supervisor.account import remove


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Not made yet. As root it will be a link out of the closed folder of the tests."""
    yield tmp_path / "state"
    remove(tmp_path / "state")
