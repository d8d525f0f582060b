"""Prometheus and promtool: `python -m local.fetch.prometheus DIR` fetches them into DIR, which takes a moment.

They are the machine's own, or of the distribution's package, unpacked; PROMETHEUS and PROMTOOL name others.
"""

import argparse
import os
import sys
from pathlib import Path

from local.fetch.debian_packages import PackagesError
from local.fetch.debian_program import DebianProgram, debian_program

#: The folder of the programs in the state.
PROGRAMS = "prometheus"


def program(name: str, folder: Path) -> DebianProgram:
    """`prometheus` or `promtool`, fetched into `folder` if need be. Raises PackagesError."""
    given = os.environ.get(name.upper())
    return DebianProgram(Path(given), {}) if given else debian_program(name, "prometheus", folder)


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.fetch.prometheus", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    folder = parser.parse_args().folder.resolve()
    try:
        for name in ("prometheus", "promtool"):
            print(program(name, folder).path)
    except PackagesError as error:
        print(f"prometheus: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
