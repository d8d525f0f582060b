"""The types of the JavaScript client: `python -m tools.javascript_client`, or `make javascript-types`.

They are made of `docs/openapi.yaml`. With `--prepare` it only fetches what the tests need.
"""

import argparse
import sys
from pathlib import Path

from local.fetch.command import UnavailableError
from local.state import ROOT
from tools import npm

SOURCE = ROOT / "clients" / "javascript"
TYPES = SOURCE / "src" / "contract.ts"


def types() -> str:
    """Return the types of the contract. Raises UnavailableError."""
    npm.install(SOURCE)
    return npm.run(SOURCE, "run", "--silent", "types")


def pack(folder: Path) -> Path:
    """Build the package into `folder` as it would be published, and return the file. Raises UnavailableError."""
    npm.install(SOURCE)
    npm.run(SOURCE, "pack", "--silent", "--pack-destination", str(folder))
    return next(folder.glob("*.tgz"))


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.javascript_client", description=__doc__)
    parser.add_argument("--prepare", action="store_true", help="fetch what the tests need, and write nothing")
    try:
        if parser.parse_args().prepare:
            npm.install(SOURCE)
        else:
            TYPES.write_text(types())
    except UnavailableError as error:
        print(f"javascript-types: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
