"""Wheels and npm tarballs that tests make, hostile ones too."""

import base64
import gzip
import hashlib
import io
import json
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

#: A file's content, alone or with its mode.
Content = bytes | tuple[bytes, int]


def wheel(
    name: str,
    version: str,
    files: Mapping[str, Content],
    *,
    requires: tuple[str, ...] = (),
    more: Mapping[str, Content] | None = None,
) -> bytes:
    """A wheel. `more` are entries that its RECORD does not list."""
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT"]
    metadata += [f"Requires-Dist: {one}" for one in requires]
    listed: dict[str, Content] = {
        **files,
        f"{info}/METADATA": ("\n".join(metadata) + "\n").encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*listed, f"{info}/RECORD"))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in {**listed, f"{info}/RECORD": record.encode(), **(more or {})}.items():
            data, mode = content if isinstance(content, tuple) else (content, 0o644)
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (mode if stat.S_IFMT(mode) else mode | stat.S_IFREG) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return made.getvalue()


def tarball(
    manifest: Mapping[str, Any],
    files: Mapping[str, Content],
    links: Mapping[str, tuple[bytes, str]] | None = None,
) -> bytes:
    """An npm tarball. `links` have a type of tarfile and a target by path."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, content in {"package/package.json": json.dumps(manifest).encode(), **files}.items():
            data, mode = content if isinstance(content, tuple) else (content, 0o644)
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
        for path, (kind, target) in (links or {}).items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = kind, target
            archive.addfile(entry)
    return gzip.compress(made.getvalue())


def integrity(content: bytes) -> str:
    """The hash of a tarball, as npm has it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
