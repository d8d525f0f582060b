"""Build etcd and kube-apiserver in a folder: `python -m tools.api_server DIR` makes DIR/bin/<program>.

The first build takes ten minutes. Ends with status 1 and one line where a program cannot be built.
"""

import argparse
import sys
from pathlib import Path

from local.fetch.go_programs import UnavailableError
from tools.api_server.control_plane import Programs


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.api_server", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    programs = Programs(folder)
    try:
        print(programs.etcd(), programs.kube_apiserver(), sep="\n")
    except UnavailableError as reason:
        print(f"API server: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
