"""The parts of an environment: a manifest, then the bytes of all files in pieces, and the frames that carry them."""

import hashlib
import json
import zlib
from collections.abc import Iterator
from typing import Any

from runtime.environments.manifest import PIECE_BYTES
from runtime.installer.tree import File, Tree

#: The fastest compression: the parts cross a fast network once.
_LEVEL = 1
_BLOCK = 1 << 20


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys and without blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def count(tree: Tree) -> int:
    """Return the number of parts of a tree, the manifest included."""
    return 1 + -(-tree.size // PIECE_BYTES)


def manifest(tree: Tree) -> bytes:
    """Return part 0: the files with their sizes and hashes.

    Raises:
        OSError: A file cannot be read.
    """
    files = [[file.path, file.size, _digest(file), int(file.executable)] for file in tree.files]
    return zlib.compress(canonical_json({"parts": count(tree), "files": files}), _LEVEL)


def pieces(tree: Tree) -> Iterator[bytes]:
    """Return the parts after the manifest.

    Raises:
        OSError: A file cannot be read.
    """
    waiting = bytearray()
    for file in tree.files:
        for block in _blocks(file):
            waiting += block
            while len(waiting) >= PIECE_BYTES:
                yield zlib.compress(waiting[:PIECE_BYTES], _LEVEL)
                del waiting[:PIECE_BYTES]
    if waiting:
        yield zlib.compress(waiting, _LEVEL)


def frame(content: bytes) -> bytes:
    """Return a frame: its length in four bytes, big-endian, then its content."""
    return len(content).to_bytes(4, "big") + content


def _digest(file: File) -> str:
    digest = hashlib.sha256()
    for block in _blocks(file):
        digest.update(block)
    return digest.hexdigest()


def _blocks(file: File) -> Iterator[bytes]:
    left = file.size
    with open(file.source, "rb") as opened:  # noqa: PTH123 - a Path for each of thousands of files would be slow
        while left and (block := opened.read(min(left, _BLOCK))):
            left -= len(block)
            yield block
    if left:
        raise OSError(f"{file.path} has become shorter")
