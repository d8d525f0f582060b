"""Environments as the function `packages` makes them: parts that a controller hands on and a runtime lays out."""

import hashlib
import json
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PIECE_BYTES = 4 << 20


@dataclass(frozen=True)
class Environment:
    """The parts of an environment, by number, and a name for it."""

    digest: str
    parts: tuple[bytes, ...]


def environment(files: Mapping[str, str | bytes], executable: Collection[str] = ()) -> Environment:
    """Return the environment of these files."""
    contents = {path: _encoded(content) for path, content in sorted(files.items())}
    entries = [
        [path, len(content), hashlib.sha256(content).hexdigest(), int(path in executable)]
        for path, content in contents.items()
    ]
    stream = b"".join(contents.values())
    pieces = [stream[start : start + PIECE_BYTES] for start in range(0, len(stream), PIECE_BYTES)]
    return parts_of({"parts": 1 + len(pieces), "files": entries}, pieces)


def parts_of(manifest: Any, pieces: Collection[bytes] = ()) -> Environment:
    """Return the environment of a manifest, which may be wrong, and of pieces."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    return Environment(
        hashlib.sha256(text).hexdigest(),
        (zlib.compress(text), *(zlib.compress(piece, 1) for piece in pieces)),
    )


def of_folder(folder: Path) -> Environment:
    """Return the environment of a folder's files."""
    return environment(
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    )


def _encoded(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
