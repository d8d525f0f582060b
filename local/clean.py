"""Remove what was made in the checkout, the data included: `python3 -m local.clean`, or `make clean`.

Uses the standard library only, so that it works when the environment is broken.
"""

import shutil
import sys

from local.state import ROOT, AlreadyRunning, State
from local.supervisor.account import remove

#: Beside `.local`: what tools leave in the checkout.
MADE = ("build", ".pytest_cache", ".mypy_cache", ".ruff_cache", "*.egg-info")


def main() -> int:
    folder = ROOT / ".local"
    if folder.is_dir():
        try:
            State(folder).lock()
        except AlreadyRunning as error:
            print(f"{error}; end it first", file=sys.stderr)
            return 1
    remove(folder)
    for pattern in MADE:
        for path in ROOT.glob(pattern):
            shutil.rmtree(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
