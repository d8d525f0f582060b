"""The console's built files: `python -m tools.console`, or `make console`. The service itself needs no Node.js.

With `--prepare` it only fetches what the tests need: the packages, and a Chromium.
"""

import argparse
import sys
from pathlib import Path

from local.fetch import chromium
from local.fetch.command import UnavailableError, output
from local.state import ROOT
from tools import npm

SOURCE = ROOT / "console"
BUILT = ROOT / "controller" / "web" / "console"
PACKAGES = SOURCE / "node_modules"
CHROMIUM = ROOT / ".local" / chromium.FOLDER


def install() -> None:
    """Install the packages of the lock file, unless they are there. Raises UnavailableError."""
    npm.install(SOURCE)


def build(target: Path = BUILT) -> None:
    """Check the types and write the files into `target`. Raises UnavailableError."""
    output([npm.node_program(), "build.mjs", str(target)], folder=SOURCE, name="the build of the console")


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.console", description=__doc__)
    parser.add_argument("--prepare", action="store_true", help="fetch what the tests need, and build nothing")
    prepare = parser.parse_args().prepare
    try:
        install()
        if prepare:
            print(chromium.program(CHROMIUM).path)
        else:
            build()
    except UnavailableError as error:
        print(f"console: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
