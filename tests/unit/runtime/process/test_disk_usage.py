"""The disk usage of a process, measured on this process."""

import ctypes
import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.process.disk_usage import MAX_FILES, used_bytes
from runtime.sandbox.confine import Confinement

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


def test_too_many_files_count_as_infinite(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        tmp_path.joinpath(str(number)).touch()
    assert used_bytes(tmp_path, THREAD) == float("inf")
