"""wrk, which makes load: `python -m local.fetch.wrk DIR` fetches it into DIR.

It is the machine's own, or of the distribution's package, unpacked; WRK names another one.
"""

import argparse
import os
import sys
from pathlib import Path

from local.fetch.debian_packages import PackagesError
from local.fetch.debian_program import DebianProgram, debian_program

#: The folder of the program in the state.
FOLDER = "wrk"


def program(folder: Path) -> DebianProgram:
    """The program, fetched into `folder` if need be. Raises PackagesError."""
    given = os.environ.get("WRK")
    return DebianProgram(Path(given), {}) if given else debian_program("wrk", "wrk", folder)


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.fetch.wrk", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    try:
        print(program(parser.parse_args().folder.resolve()).path)
    except PackagesError as error:
        print(f"wrk: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
