"""A program of the distribution that need not be installed: `python -m local.fetch.debian_program NAME DIR`.

It is the one that a variable names (WRK for `wrk`), else this machine's own, else its package's, unpacked into DIR.
Ends with status 1 and one line where it cannot be had.
"""

import argparse
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.fetch.debian_packages import Packages, PackagesError

#: Of what a package asks for, a program needs the libraries it is linked with; those of JavaScript are for its pages.
LIBRARY = re.compile(r"lib(?!js)")
#: Where packages keep their programs. What /usr/bin has of Chromium is a script that names an installed one.
PLACES = ("usr/lib/chromium", "usr/bin", "usr/sbin")


@dataclass(frozen=True)
class DebianProgram:
    """A program, and the variables it needs to find its libraries."""

    path: Path
    environment: dict[str, str]


def debian_program(name: str, package: str, folder: Path, beside: Sequence[str] = ()) -> DebianProgram:
    """The program of that name, unpacked into `folder` unless it is there.

    Args:
        name: of the program.
        package: has it.
        folder: for it and the libraries that this machine lacks.
        beside: further packages that it needs.

    Raises:
        PackagesError: it cannot be had.
    """
    own = os.environ.get(name.upper()) or shutil.which(name)
    if own is not None:
        return DebianProgram(Path(own), {})
    packages = Packages(folder)
    if not (paths := _found(packages.root, name)):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lacking = packages.missing_dependencies([package])
            packages.unpack([package, *beside, *filter(LIBRARY.match, lacking)])
        finally:
            packages.close()
        paths = _found(packages.root, name)
    libraries = {str(library.parent) for library in packages.root.rglob("*.so*")}
    environment = {"LD_LIBRARY_PATH": os.pathsep.join(sorted(libraries))} if libraries else {}
    return DebianProgram(paths[0], environment)


def _found(root: Path, name: str) -> list[Path]:
    return [path for place in PLACES if (path := root / place / name).is_file()]


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.fetch.debian_program", description=__doc__)
    parser.add_argument("name", metavar="NAME", help="of the program and of its package")
    parser.add_argument("folder", type=Path, metavar="DIR")
    asked = parser.parse_args()
    try:
        print(debian_program(asked.name, asked.name, asked.folder.resolve()).path)
    except PackagesError as error:
        print(f"{asked.name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
