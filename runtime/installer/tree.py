"""What a job has installed: the files of an environment, without what must not be in one."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runtime.installer.jobs import Overflow

#: Most entries of a tree in relation to the most files of an environment: links may repeat files.
_ROOM = 4


@dataclass(frozen=True)
class File:
    """A regular file of an environment, at a path relative to it."""

    path: str
    source: str
    size: int
    executable: bool


@dataclass
class Tree:
    """The files below a folder, sorted by path, and what was left out with the reason."""

    files: list[File] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


class Walk:
    """Reads a tree once.

    Args:
        root: The folder.
        prefix: What paths start with.
        files_max: Most files of an environment.
    """

    def __init__(self, root: Path, prefix: str, files_max: int) -> None:
        self._root = os.path.realpath(root)
        #: A job is not trusted: what it puts in the place of the folder could lead anywhere.
        self._is_link = root.is_symlink()
        self._prefix = prefix
        self._most = files_max * _ROOM
        self._seen = 0
        self._tree = Tree()

    def tree(self) -> Tree:
        """Return the tree.

        Raises:
            Overflow: It has far too many files.
        """
        if not self._is_link and os.path.isdir(self._root):  # noqa: PTH112
            self._folder(self._root, "", (self._root,))
        self._tree.files.sort(key=lambda file: file.path)
        return self._tree

    def _folder(self, folder: str, path: str, chain: tuple[str, ...]) -> None:
        waiting: list[tuple[str, str, tuple[str, ...]]] = [(folder, path, chain)]
        while waiting:
            place, below, through = waiting.pop()
            for entry in _entries(place):
                self._seen += 1
                if self._seen > self._most:
                    raise Overflow(f"{self._most // _ROOM} files")
                name = f"{below}{entry.name}"
                real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                if why := self._refused(name, entry, real, through):
                    self._tree.dropped.append(f"{_shown(self._prefix + name)}: {why}")
                elif os.path.isdir(real):  # noqa: PTH112
                    waiting.append((real, f"{name}/", (*through, real) if entry.is_symlink() else through))
                elif name not in _OF_TOOLS:
                    self._add(name, real)

    def _add(self, name: str, real: str) -> None:
        about = os.stat(real)  # noqa: PTH116 - a Path for each of thousands of files would be slow
        if about.st_mode & (stat.S_ISUID | stat.S_ISGID):
            self._tree.dropped.append(f"{_shown(self._prefix + name)}: its set-uid bit is taken away")
        file = File(self._prefix + name, real, about.st_size, bool(about.st_mode & stat.S_IXUSR))
        self._tree.files.append(file)

    def _refused(self, name: str, entry: "os.DirEntry[str]", real: str, chain: tuple[str, ...]) -> str | None:
        """Return why an entry is left out, or None."""
        if not _is_portable(entry.name):
            return "its name is not portable"
        if name == "bin" if not self._prefix else entry.name == ".bin":
            return "programs are not installed"
        if not self._prefix and name == entry.name and name.endswith(".pth"):
            return "it would run code at the start"
        if entry.is_symlink() and (why := self._refused_link(entry, real, chain)):
            return why
        try:
            mode = os.stat(real).st_mode  # noqa: PTH116
        except OSError:
            return "it cannot be read"
        return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "it is no file"

    def _refused_link(self, entry: "os.DirEntry[str]", real: str, chain: tuple[str, ...]) -> str | None:
        if not real.startswith(f"{self._root}/"):
            return "a link out of the environment"
        above = (*chain, os.path.dirname(entry.path))  # noqa: PTH120
        return "a link to a folder that it is in" if any(_is_within(each, real) for each in above) else None


#: Files that the tools leave at the top for themselves.
_OF_TOOLS = frozenset({".lock", ".package-lock.json"})


def _entries(folder: str) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        yield from entries


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _is_portable(name: str) -> bool:
    return "\\" not in name and name.isprintable() and not any("\ud800" <= each <= "\udfff" for each in name)


def _shown(path: str) -> str:
    return path[:200].encode(errors="backslashreplace").decode()
