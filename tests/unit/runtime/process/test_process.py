"""What a process leaves: a folder, for as long as its owner lives, and the bytes of its output that are kept."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from configuration.errors import UnusableSetting
from runtime.process.folder_locks import ENVIRONMENTS, WORKERS, LockedFolder, clear_abandoned
from runtime.process.output import Output


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


Opened = tuple[Output, Callable[[bytes], None]]


@pytest.fixture
def stream() -> Iterator[Opened]:
    """An output that keeps eight bytes, and a function that writes to it."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    output = Output(reading, 8)
    yield output, lambda data: _write_all(writing, data)
    os.close(writing)
    output.close()


def _write_all(descriptor: int, data: bytes) -> None:
    os.set_blocking(descriptor, False)
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            gevent.idle()


def test_output_within_the_bound_is_kept_whole(stream: Opened) -> None:
    output, write = stream
    write(b"12345678")
    assert output.take() == "12345678"
    assert output.take() == ""


def test_head_and_tail_are_kept_with_the_count_between_them(stream: Opened) -> None:
    output, write = stream
    write(b"abcd" + b"." * 1_000_000 + b"wxyz")
    assert output.take() == "abcd\n... 1000000 bytes left out ...\nwxyz"


def test_characters_are_not_cut_in_two(stream: Opened) -> None:
    output, write = stream
    write("あいうえ".encode())
    assert output.take() == "あ\n... 6 bytes left out ...\nえ"


def test_bytes_that_are_not_utf8_are_escaped(stream: Opened) -> None:
    output, write = stream
    write(b"a\xff\xe3")
    assert output.take() == "a\\xff\\xe3"


def test_earlier_output_is_discarded(stream: Opened) -> None:
    output, write = stream
    write(b"old")
    gevent.idle()
    output.take()
    write(b"older")
    output.take()
    output.discard()
    write(b"new")
    assert output.take() == "new"
