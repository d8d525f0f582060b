"""A folder stays while its owner holds the lock, and is removed when the owner has ended."""

import os
from pathlib import Path

import pytest

from configuration.errors import UnusableSetting
from runtime.process.folder_locks import ENVIRONMENTS, WORKERS, LockedFolder, clear_abandoned


def test_a_locked_folder_stays_and_a_released_one_is_removed(tmp_path: Path) -> None:
    ours, theirs = LockedFolder(tmp_path, WORKERS), LockedFolder(tmp_path, ENVIRONMENTS)
    (ours.folder / "deep").mkdir()
    ours.release()
    clear_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [theirs.folder]
    theirs.release()


@pytest.mark.parametrize("prefix", [WORKERS, ENVIRONMENTS])
def test_the_folder_of_an_ended_process_is_removed(tmp_path: Path, prefix: str) -> None:
    child = os.fork()
    if child == 0:
        left = LockedFolder(tmp_path, prefix).folder
        (left / "deep").mkdir()
        (left / "deep" / "file").touch()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(list(tmp_path.iterdir())) == 1
    clear_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_only_workers_folders_are_removed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    state = tmp_path / "state"
    for folder in (outside, state, state / "rust"):
        folder.mkdir()
    (state / "workers-file").touch()
    (state / "workers-link").symlink_to(outside)
    clear_abandoned(state)
    assert {path.name for path in state.iterdir()} == {"rust", "workers-file", "workers-link"}
    assert outside.is_dir()


def test_a_missing_state_folder_is_created(tmp_path: Path) -> None:
    clear_abandoned(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_state_folder_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnusableSetting, match="STATE_DIR"):
        clear_abandoned(tmp_path / "file" / "state")
