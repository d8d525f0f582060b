"""The wheels that the functions install, kept in a folder: `python -m local.fetch.wheels DIR`.

All of requirements.txt, of the templates' own lists, and what builds the libraries. With them a function is installed
without asking for each package anew. What is there and current is not collected again.
"""

import argparse
import hashlib
import sys
import tomllib
from pathlib import Path

from local.fetch.command import UnavailableError, pip

ROOT = Path(__file__).resolve().parent.parent.parent


def collect(folder: Path) -> Path:
    """Returns the folder once it holds all of them. Raises UnavailableError when one cannot be had."""
    lists = [ROOT / "requirements.txt", *sorted(ROOT.glob("template/*/requirements*.txt"))]
    builders = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    content = "\0".join([*(path.read_text() for path in lists), *builders, sys.version])
    mark, wanted = folder / "collected", hashlib.sha256(content.encode()).hexdigest()
    if not mark.is_file() or mark.read_text() != wanted:
        asked = [argument for path in lists for argument in ("--requirement", str(path))]
        pip("wheel", "--wheel-dir", str(folder), *asked, *builders)
        mark.write_text(wanted)
    return folder


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.fetch.wheels", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    try:
        print(collect(parser.parse_args().folder.resolve()))
    except UnavailableError as reason:
        print(f"the functions' wheels: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
