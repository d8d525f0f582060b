"""Folders belong to who holds them, and go when nobody does."""

import os
from pathlib import Path

import pytest

from runtime.process.folder_locks import Claim, clear_abandoned


def test_a_claimed_folder_stays_and_a_released_one_is_gone(tmp_path: Path) -> None:
    ours, theirs = Claim(tmp_path), Claim(tmp_path)
    (ours.folder / "deep").mkdir()
    ours.release()
    clear_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [theirs.folder]
    theirs.release()


def test_what_an_ended_process_has_left_is_cleared_with_all_below_it(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        left = Claim(tmp_path).folder
        (left / "deep").mkdir()
        (left / "deep" / "file").touch()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(list(tmp_path.iterdir())) == 1
    clear_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_workers_folder_is_not_ours_to_clear(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    state = tmp_path / "state"
    for folder in (outside, state, state / "rust"):
        folder.mkdir()
    (state / "workers-file").touch()
    (state / "workers-link").symlink_to(outside)
    clear_abandoned(state)
    assert {path.name for path in state.iterdir()} == {"rust", "workers-file", "workers-link"}
    assert outside.is_dir()


def test_a_state_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    clear_abandoned(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_state_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        clear_abandoned(tmp_path / "file" / "state")
