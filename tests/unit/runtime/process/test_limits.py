"""Limits of a process: how soon it is looked at again, by the memory that it took, and the disk that it uses."""

import ctypes
import mmap
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import gevent
import pytest

from runtime.process.disk_usage import MAX_FILES, used_bytes
from runtime.process.limits_watcher import INTERVAL, Limits, LimitsWatcher, Watch
from runtime.sandbox.confine import Confinement
from tests.unit.runtime.process.double import DoubleProcess

MEBIBYTE = 1 << 20
LIMIT = 256 * MEBIBYTE


class Growing(DoubleProcess):
    """Takes memory at a steady rate from its first look on."""

    def __init__(self, folder: Path, bytes_per_second: int) -> None:
        super().__init__(folder)
        self.looks = 0
        self._rate = bytes_per_second
        self._began = 0.0

    def status(self) -> bytes:
        self.looks += 1
        self._began = self._began or monotonic()
        self.memory_kib = int((monotonic() - self._began) * self._rate) >> 10
        return super().status()


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    watcher = LimitsWatcher(Limits(memory_bytes=LIMIT, files_bytes=1 << 20, threads=4))
    return watcher.watch(DoubleProcess(tmp_path))


def pause(watch: Watch, now: float, mebibytes: int) -> float:
    """Look at `now`; return the seconds until the next look."""
    watch.schedule(now, mebibytes * MEBIBYTE, LIMIT)
    return watch.look_at - now


def test_a_process_far_below_its_limit_is_looked_at_in_the_usual_interval(watch: Watch) -> None:
    assert pause(watch, 1.0, 10) == pytest.approx(INTERVAL)
    assert pause(watch, 2.0, 10) == pytest.approx(INTERVAL)


def test_a_process_is_looked_at_sooner_the_faster_it_grows(watch: Watch) -> None:
    assert pause(watch, 1.0, 0) == pytest.approx(INTERVAL)
    steady = pause(watch, 2.0, 100)
    slow = pause(watch, 2.1, 180)
    fast = pause(watch, 2.15, 230)
    assert INTERVAL >= steady > slow > fast > 0


def test_a_process_close_to_its_limit_is_looked_at_often_even_if_it_does_not_grow(watch: Watch) -> None:
    pauses = [pause(watch, float(second), 250) for second in range(1, 4)]
    assert pauses[-1] < INTERVAL / 5


def test_a_process_that_was_over_its_limit_for_a_moment_has_a_next_look(watch: Watch) -> None:
    assert pause(watch, 1.0, 300) > 0


def test_growth_between_two_looks_ends_close_to_the_limit(tmp_path: Path) -> None:
    process = Growing(tmp_path, bytes_per_second=1000 * MEBIBYTE)
    watcher = LimitsWatcher(Limits(memory_bytes=LIMIT, files_bytes=1 << 20, threads=4))
    try:
        watch = watcher.watch(process)
        watch.begin(60)
        with gevent.Timeout(30):
            process.ended.wait()
        watch.end()
    finally:
        watcher.close()
    assert watch.breach is not None
    assert watch.breach.kind == "memory_limit"
    assert f"of memory: it had {process.memory_kib * 1024}" in watch.breach.message
    # Within the usual interval it would have been seen six times.
    assert process.looks > 6


THREAD = Path("/proc/self")
SIZE = 1 << 20
PAGE = ctypes.c_size_t(mmap.PAGESIZE)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], int]:
    """Writes a file below the folder and returns a descriptor of it."""

    def written(name: str) -> int:
        descriptor = os.open(tmp_path / name, os.O_RDWR | os.O_CREAT)
        os.write(descriptor, bytes(SIZE))
        return descriptor

    return written


@pytest.fixture
def before(tmp_path: Path) -> float:
    """Usage of this process before the test: pytest captures the output in a deleted file."""
    return used_bytes(tmp_path, THREAD)


def test_files_count_in_every_folder(tmp_path: Path, before: float, write: Callable[[str], int]) -> None:
    tmp_path.joinpath("folder").mkdir()
    os.close(write("file"))
    os.close(write("folder/file"))
    assert 2 * SIZE <= used_bytes(tmp_path, THREAD) - before < 3 * SIZE


def test_a_file_without_a_name_counts_while_it_is_open(
    tmp_path: Path, before: float, write: Callable[[str], int]
) -> None:
    descriptor = write("file")
    tmp_path.joinpath("file").unlink()
    assert SIZE <= used_bytes(tmp_path, THREAD) - before < 2 * SIZE
    os.close(descriptor)
    assert used_bytes(tmp_path, THREAD) == before


def test_a_file_that_is_only_mapped_counts_with_the_largest_size(
    tmp_path: Path, before: float, write: Callable[[str], int]
) -> None:
    descriptor = write("file")
    tmp_path.joinpath("file").unlink()
    libc = ctypes.CDLL(None)  # Python's own mapping would keep a descriptor
    libc.mmap.restype = ctypes.c_void_p
    page = ctypes.c_void_p(
        libc.mmap(None, PAGE, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, ctypes.c_long(0))
    )
    assert SIZE <= used_bytes(tmp_path, THREAD) - before < 2 * SIZE
    os.close(descriptor)
    assert used_bytes(tmp_path, THREAD) - before == Confinement.file_bytes
    libc.munmap(page, PAGE)
    assert used_bytes(tmp_path, THREAD) == before


def test_a_file_that_is_deleted_between_the_looks_counts_with_its_size(
    tmp_path: Path, write: Callable[[str], int]
) -> None:
    folder, process = tmp_path, tmp_path / "process"
    (process / "fd").mkdir(parents=True)
    descriptor = write("file")
    (process / "fd" / "3").symlink_to(f"/proc/self/fd/{descriptor}")
    os.mkfifo(process / "maps")

    def map_deleted() -> None:
        with (process / "maps").open("w") as maps:  # returns once the list is opened, after the open files
            inode = os.fstat(descriptor).st_ino
            folder.joinpath("file").unlink()
            maps.write(f"7f00-7f01 rw-s 0000 00:00 {inode} {os.path.realpath(folder)}/file (deleted)\n")

    with ThreadPoolExecutor(1) as threads:
        threads.submit(map_deleted)
        assert SIZE <= used_bytes(folder, process) < 2 * SIZE
    os.close(descriptor)


def test_too_many_files_count_as_infinite(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        tmp_path.joinpath(str(number)).touch()
    assert used_bytes(tmp_path, THREAD) == float("inf")
