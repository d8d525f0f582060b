"""The console's built files: `python -m tools.console`, or `make console`. The service itself needs no Node.js.

Each route to its tools is npm's own: the registry of this machine's npm configuration, and the versions and hashes of
`console/package-lock.json`. With `--prepare` it only fetches what the tests need: the packages, and a Chromium.
"""

import argparse
import sys
from pathlib import Path

from local.fetch import chromium, node
from local.fetch.command import UnavailableError, output
from local.state import ROOT
from local.supervisor.managed_process import PartError

SOURCE = ROOT / "console"
BUILT = ROOT / "controller" / "web" / "console"
PACKAGES = SOURCE / "node_modules"
CHROMIUM = ROOT / ".local" / chromium.FOLDER
#: npm writes it when an installation is complete.
_MARK = PACKAGES / ".package-lock.json"


def install() -> None:
    """Install the packages of the lock file, unless they are there. Raises UnavailableError."""
    lock = SOURCE / "package-lock.json"
    if _MARK.is_file() and _MARK.stat().st_mtime >= lock.stat().st_mtime:
        return
    program = _node()
    npm = Path(program).resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [program, str(npm)] if npm.is_file() else ["npm"]
    output([*command, "ci", "--ignore-scripts"], folder=SOURCE, name="npm ci")


def build(target: Path = BUILT) -> None:
    """Check the types and write the files into `target`. Raises UnavailableError."""
    output([_node(), "build.mjs", str(target)], folder=SOURCE, name="the build of the console")


def _node() -> str:
    try:
        return node.program()
    except PartError as error:
        raise UnavailableError(str(error)) from error


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
