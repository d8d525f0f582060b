"""A service for tests: `python -m local.temporary`. It takes free ports, and its data go when it ends.

It prints what `make run` prints. Its limits of calls are high, unless the environment says otherwise.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from local.run import chosen, run, supervised
from local.settings import Settings
from local.state import ROOT, RUST
from local.supervisor.account import remove

LIMITS = {f"RATE_LIMIT_{calls}": "100000" for calls in ("EXECUTE", "INITIALIZE", "FUNCTIONS", "MANAGE")}


def settings() -> Settings:
    """The user's, on free ports."""
    named = chosen()
    ports = Settings.on_free_ports().ports
    return replace(named, ports=ports, controller=LIMITS | named.controller)


def main() -> int:
    argparse.ArgumentParser(prog="python -m local.temporary", description=__doc__).parse_args()
    with tempfile.TemporaryDirectory(prefix="lambda-microservice-") as folder:
        state = Path(folder) / "state"
        try:
            return supervised(state, partial(run, ROOT / ".local" / RUST, settings))
        finally:
            remove(state)


if __name__ == "__main__":
    sys.exit(main())
