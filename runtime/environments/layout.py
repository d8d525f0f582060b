"""One environment on the disk: written part by part, checked as a whole, closed to all changes.

Its functions wait for the disk, so they run in a thread. `remove_tree` removes what they have laid out.
"""

import hashlib
import os
from pathlib import Path

from runtime.environments.manifest import Manifest
from runtime.errors import InvalidRequest

_CHUNK_BYTES = 1 << 20


def begin(folder: Path, manifest: Manifest) -> None:
    """Make the folders of an environment, and its files, which are empty."""
    folder.mkdir(mode=0o700)
    for name in manifest.folders:
        os.mkdir(f"{folder}/{name}", mode=0o700)  # noqa: PTH102 - a Path for each of thousands would be slow
    for file in manifest.files:
        os.close(os.open(f"{folder}/{file.path}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def write(folder: Path, manifest: Manifest, part: int, body: bytes) -> None:
    """Write the bytes of a part into their files.

    Raises:
        InvalidRequest: The part has other than its bytes.
    """
    for file, place, content in manifest.pieces(part, body):
        target = os.open(f"{folder}/{file.path}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            written = 0
            while written < len(content):
                written += os.pwrite(target, content[written:], place + written)
        finally:
            os.close(target)


def seal(folder: Path, manifest: Manifest) -> None:
    """Check all files, and take the right to change anything from everybody.

    Raises:
        InvalidRequest: A file has another hash than the manifest says.
    """
    for file in manifest.files:
        path = f"{folder}/{file.path}"
        if _sha256(path) != file.sha256:
            raise InvalidRequest("the bytes of a file are not those that part 0 names")
        os.chmod(path, 0o555 if file.executable else 0o444)  # noqa: PTH101
    for name in manifest.folders:
        os.chmod(f"{folder}/{name}", 0o555)  # noqa: PTH101, S103
    folder.chmod(0o555)


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
