"""A program of the distribution that need not be installed: this machine's own, else its package, unpacked."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from local.fetch.debian_packages import Packages

#: Of what a package asks for, a program needs the libraries it is linked with; those of JavaScript are for its pages.
LIBRARY = re.compile(r"lib(?!js)")
#: Where packages keep their programs.
PLACES = ("usr/bin", "usr/sbin")


@dataclass(frozen=True)
class DebianProgram:
    """A program, and the variables it needs to find its libraries."""

    path: Path
    environment: dict[str, str]


def debian_program(name: str, package: str, folder: Path) -> DebianProgram:
    """The program of that name; `package` is unpacked into `folder` unless it is there. Raises PackagesError."""
    own = shutil.which(name)
    if own is not None:
        return DebianProgram(Path(own), {})
    packages = Packages(folder)
    if not (paths := _found(packages.root, name)):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lacking = packages.missing_dependencies([package])
            packages.unpack([package, *filter(LIBRARY.match, lacking)])
        finally:
            packages.close()
        paths = _found(packages.root, name)
    libraries = {str(library.parent) for library in packages.root.rglob("*.so*")}
    environment = {"LD_LIBRARY_PATH": os.pathsep.join(sorted(libraries))} if libraries else {}
    return DebianProgram(paths[0], environment)


def _found(root: Path, name: str) -> list[Path]:
    return [path for place in PLACES if (path := root / place / name).is_file()]
