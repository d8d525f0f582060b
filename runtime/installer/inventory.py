"""The packages of an environment: name, version, bytes, licence, as their own metadata tells."""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from runtime.installer.jobs import usage
from runtime.installer.tree import File, Tree

#: Most bytes that are read of a file of metadata, and of a list of files.
_METADATA_MAX, _RECORD_MAX = 256 << 10, 8 << 20
_LICENCE_MAX = 200
_BYTECODE = re.compile(r"(?:(.*)/)?__pycache__/([^/]+?)\.[^./]+(?:\.opt-\d)?\.pyc")
_OF_PACKAGE = re.compile(r"((?:.*/)?node_modules/((?:@[^/]+/)?[^/]+))/")
_SCRIPTS = ("preinstall", "install", "postinstall")


@dataclass(frozen=True)
class Installed:
    """An installed package."""

    name: str
    version: str
    bytes: int
    licence: str | None

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def of_python(tree: Tree) -> list[Installed]:
    """Return the packages of a tree of Python, sorted by name."""
    sizes = {file.path: file.size for file in tree.files}
    found = []
    for file in tree.files:
        folder, _, name = file.path.partition("/")
        if folder.endswith(".dist-info") and name == "METADATA":
            headers = HeaderParser().parsestr(_text(file, _METADATA_MAX))
            listed = {path for path in _recorded(tree, f"{folder}/RECORD") if path in sizes}
            found.append((headers, listed))
    owners = {path: number for number, (_, listed) in enumerate(found) for path in listed}
    totals: dict[int, int] = defaultdict(int)
    for path, size in sizes.items():
        source = _BYTECODE.fullmatch(path)
        of = path if source is None else "/".join(filter(None, (source[1], f"{source[2]}.py")))
        if of in owners:
            totals[owners[of]] += size
    return sorted(
        (
            Installed(str(about["Name"]), str(about["Version"]), totals[number], _licence(about))
            for number, (about, _) in enumerate(found)
        ),
        key=lambda package: package.name.lower(),
    )


def of_nodejs(tree: Tree) -> list[Installed]:
    """Return the packages of a tree of Node.js, sorted by name. One with an install script is noted as dropped."""
    totals: dict[str, int] = defaultdict(int)
    abouts: dict[str, dict[str, Any]] = {}
    for file in tree.files:
        if found := _OF_PACKAGE.match(file.path):
            totals[found[1]] += file.size
            if file.path == f"{found[1]}/package.json":
                abouts[found[1]] = _manifest(file)
    merged: dict[tuple[str, str], Installed] = {}
    for place, about in abouts.items():
        name, version = str(about.get("name")), str(about.get("version"))
        before = merged.get((name, version))
        size = totals[place] + (before.bytes if before else 0)
        merged[name, version] = Installed(name, version, size, _npm_licence(about))
        scripts = about.get("scripts")
        if isinstance(scripts, dict) and any(script in scripts for script in _SCRIPTS):
            tree.dropped.append(f"{place}: its install script was not run")
    return sorted(merged.values(), key=lambda package: package.name)


def largest(packages: Iterable[Installed]) -> str:
    """Return the five largest packages in words."""
    first = sorted(packages, key=lambda package: -package.bytes)[:5]
    return ", ".join(f"{each.name} {each.version} ({each.bytes} bytes)".replace("  ", " ") for each in first)


def so_far(folder: Path) -> list[Installed]:
    """Return what a job has unpacked until now, by the folders of uv and npm."""
    python = {
        about.name.removesuffix(".dist-info"): about.parent
        for about in folder.glob(".tmp*/archive-*/*/*.dist-info")
    }
    nodejs = {
        path.parent.relative_to(folder / "node_modules").as_posix(): path.parent
        for pattern in ("*/package.json", "@*/*/package.json")
        for path in (folder / "node_modules").glob(pattern)
    }
    found = {name: path for name, path in {**python, **nodejs}.items() if not path.is_symlink()}
    return [Installed(name, "", int(usage(path)[0]), None) for name, path in found.items()]


def _recorded(tree: Tree, record: str) -> Iterator[str]:
    for file in tree.files:
        if file.path == record:
            for row in csv.reader(io.StringIO(_text(file, _RECORD_MAX))):
                yield from row[:1]


def _text(file: File, most: int) -> str:
    with Path(file.source).open("rb") as opened:
        return opened.read(most).decode(errors="replace")


def _licence(about: "Message[str, str]") -> str | None:
    told = about.get("License-Expression") or about.get("License")
    if told and told != "UNKNOWN":
        return told.strip().splitlines()[0][:_LICENCE_MAX]
    classifiers = [value for name, value in about.items() if name == "Classifier"]
    licences = [each.rpartition(":: ")[2] for each in classifiers if each.startswith("License ::")]
    return ", ".join(licences)[:_LICENCE_MAX] or None


def _manifest(file: File) -> dict[str, Any]:
    try:
        about = json.loads(_text(file, _METADATA_MAX))
    except (ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def _npm_licence(about: Mapping[str, Any]) -> str | None:
    told = about.get("license")
    if isinstance(told, dict):
        told = told.get("type")
    return told[:_LICENCE_MAX] if isinstance(told, str) else None
