"""What processes share, made by the first that needs it."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tools.checks.suite import RUN_FOLDER


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes that ask for the same folder waiting."""
    with locked(folder, fcntl.LOCK_EX):
        yield


@contextmanager
def used(folder: Path) -> Iterator[None]:
    """Use what lies in the folder beside other processes, safe from `remove_unused`."""
    with locked(folder, fcntl.LOCK_SH):
        yield


def remove_unused(folder: Path) -> None:
    """Remove the folder unless a process uses it."""
    with suppress(BlockingIOError), locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
        shutil.rmtree(folder)


@contextmanager
def locked(folder: Path, kind: int) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, kind)
        yield descriptor
    finally:
        os.close(descriptor)


def folder_of_run(folders: pytest.TempPathFactory) -> Path:
    """The folder that all processes of the run share."""
    return Path(os.environ[RUN_FOLDER]) if RUN_FOLDER in os.environ else folders.getbasetemp()


def once(folders: pytest.TempPathFactory, name: str, make: Callable[[], str]) -> str:
    """What `make` returns, called once in the run. `name` is this question's alone."""
    place = folder_of_run(folders) / name
    place.mkdir(exist_ok=True)
    answer = place / "answer"
    with alone(place):
        if not answer.exists():
            answer.write_text(make())
        return answer.read_text()
