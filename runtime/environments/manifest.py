"""The parts of an environment: what a manifest may say, and which bytes of which files another part has.

Part 0 is the manifest: zlib of `{"parts": N, "files": [[path, bytes, sha256, executable], ...]}`. The others are zlib
of successive pieces of all files' bytes, in the manifest's order. The parts are not trusted.
"""

import re
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import Annotated, Any

import msgspec

from runtime.errors import InvalidRequest

#: Most bytes of a part as it is sent.
PART_MAX_BYTES = 8 << 20
#: Bytes of a piece; the last one may be shorter.
PIECE_BYTES = 4 << 20
#: Most bytes of a manifest: 80,000 files with paths of a usual length.
MANIFEST_MAX_BYTES = 16 << 20
#: What a file or folder takes on a disk in addition to a file's bytes, about.
_BLOCK_BYTES = 4096
#: Limits of the kernel, in bytes. What a path is put behind is far shorter than the difference of 1024.
_NAME_MAX, _PATH_MAX = 255, 3072
#: Most folders, and most of them one inside the other: packages have far fewer.
_FOLDERS_MAX, _DEPTH_MAX = 100_000, 64
_NOT_IN_NAMES = re.compile(r"[\0\\]")

_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
_Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class File(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A file of an environment, by its path below the environment's folder."""

    path: str
    bytes: _Count
    sha256: _Hash
    executable: Annotated[int, msgspec.Meta(ge=0, le=1)]


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    parts: _Count
    files: tuple[File, ...]


@dataclass(frozen=True)
class Manifest:
    """The files of an environment, in the order of their bytes in the parts."""

    files: tuple[File, ...]
    #: Paths of the folders, each one after those that contain it.
    folders: tuple[str, ...]
    #: Where each file's bytes begin among all; at the end, how many there are.
    _offsets: tuple[int, ...]

    @classmethod
    def of(cls, part: bytes) -> "Manifest":
        """Read part 0.

        Raises:
            InvalidRequest: It is no manifest, or one with a path that leads elsewhere.
        """
        try:
            document = msgspec.json.decode(_inflated(part, MANIFEST_MAX_BYTES), type=_Document)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest(f"part 0 is no manifest: {error}") from error
        files = document.files
        offsets = tuple(accumulate((file.bytes for file in files), initial=0))
        if document.parts != 1 + -(-offsets[-1] // PIECE_BYTES):
            raise InvalidRequest(f"part 0 names {document.parts} parts for {offsets[-1]} bytes")
        return cls(files, _folders([file.path for file in files]), offsets)

    @property
    def parts(self) -> range:
        """The numbers of all parts."""
        return range(1 + -(-self._offsets[-1] // PIECE_BYTES))

    @property
    def disk_bytes(self) -> int:
        """What it takes on a disk, about."""
        return self._offsets[-1] + _BLOCK_BYTES * (len(self.files) + len(self.folders) + 1)

    def pieces(self, part: int, body: bytes) -> Iterator[tuple[File, int, memoryview]]:
        """Yield what a part holds: files, each with a place in it and the bytes that belong there.

        Raises:
            InvalidRequest: The part has other than its bytes.
        """
        start = (part - 1) * PIECE_BYTES
        size = min(PIECE_BYTES, self._offsets[-1] - start)
        content = memoryview(_inflated(body, size))
        if len(content) != size:
            raise InvalidRequest(f"part {part} has {len(content)} bytes in place of {size}")
        number = bisect_right(self._offsets, start) - 1
        for file, first in zip(islice(self.files, number, None), self._offsets[number:], strict=False):
            if first >= start + size:
                return
            place = max(first, start)
            yield file, place - first, content[place - start : first + file.bytes - start]


def _inflated(body: bytes, limit: int) -> bytes:
    """Return decompressed bytes. Raises InvalidRequest if they are more than the limit."""
    stream: Any = zlib.decompressobj()
    try:
        content: bytes = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidRequest("the part cannot be decompressed") from error
    if len(content) > limit or not stream.eof or stream.unused_data:
        raise InvalidRequest("the part is longer than it may be, or cut off")
    return content


def _folders(paths: list[str]) -> tuple[str, ...]:
    """Return the folders of files. Raises InvalidRequest for a path that is not plain, or stands there twice."""
    if any(first >= second for first, second in pairwise(paths)):
        raise InvalidRequest("the files of part 0 are not sorted")
    folders: set[str] = set()
    for path in paths:
        _check_path(path)
        parent = path.rpartition("/")[0]
        while parent and parent not in folders:
            folders.add(parent)
            parent = parent.rpartition("/")[0]
        if len(folders) > _FOLDERS_MAX:
            raise InvalidRequest("part 0 has too many folders")
    if not folders.isdisjoint(paths):
        raise InvalidRequest("part 0 has a file and a folder of one name")
    return tuple(sorted(folders))


def _check_path(path: str) -> None:
    names = path.split("/")
    plain = (
        not _NOT_IN_NAMES.search(path)
        and not {"", ".", ".."}.intersection(names)
        and len(names) <= _DEPTH_MAX
    )
    try:
        short = len(path.encode()) <= _PATH_MAX and all(len(name.encode()) <= _NAME_MAX for name in names)
    except UnicodeEncodeError:
        short = False
    if not plain or not short:
        raise InvalidRequest("part 0 has a path that no environment may have")
