"""What the files of a worker take on the disk: those in its folder, and those that no folder names any more."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from runtime.sandbox.confine import Confinement

#: Files and folders that are looked at: more of them are too many.
MAX_FILES = 2000
#: Bytes of the list of mappings that are looked at, some ten thousand lines: more are too many.
MAX_MAPS_BYTES = 1 << 20
#: What a file may hold that can be seen in no other way than that it is mapped.
_UNSEEN_BYTES = Confinement.file_bytes
_DELETED = b" (deleted)"


def taken(folder: Path, thread: Path) -> float:
    """Bytes on the disk; infinite for more files or mappings than anybody needs.

    `thread` is the folder in /proc of one of the process's threads, which share their descriptors and their memory.
    """
    held = _held(thread)
    mapped = _mapped(folder, thread)
    if mapped is None:
        return float("inf")
    return _named(folder) + sum(held.values()) + _UNSEEN_BYTES * len(mapped - held.keys())


def _named(folder: Path) -> float:
    """Bytes of all that lies in the folder."""
    total = seen = 0
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if seen > MAX_FILES:
                        return float("inf")
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
        except FileNotFoundError:
            continue  # it was removed meanwhile
        except OSError:
            return float("inf")  # a folder that was closed to us, or a path that is too long to name
    return total


def _held(thread: Path) -> dict[int, int]:
    """Inodes and bytes of files that a descriptor holds and that have no name any more."""
    found = {}
    with suppress(OSError), os.scandir(thread / "fd") as descriptors:
        for descriptor in descriptors:
            with suppress(OSError):
                about = descriptor.stat()
                if stat.S_ISREG(about.st_mode) and about.st_nlink == 0:
                    found[about.st_ino] = about.st_blocks * 512
    return found


def _mapped(folder: Path, thread: Path) -> set[int] | None:
    """Inodes of files from the folder that are mapped and have no name any more; None for too many mappings.

    How large they are is for a privileged process only to find out (/proc/<pid>/map_files).
    """
    try:
        with (thread / "maps").open("rb") as file:
            maps = file.read(MAX_MAPS_BYTES)
    except OSError:
        return set()
    if len(maps) == MAX_MAPS_BYTES:
        return None
    if _DELETED not in maps:
        return set()
    beneath = b" " + os.fsencode(os.path.realpath(folder)) + b"/"
    lines = [line for line in maps.splitlines() if line.endswith(_DELETED) and beneath in line]
    return {int(line.split(maxsplit=5)[4]) for line in lines}
