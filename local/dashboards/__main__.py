"""Write the dashboards anew: `python -m local.dashboards DIR` makes a JSON file of each."""

import argparse
from pathlib import Path

from local.dashboards.documents import dashboards, text


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m local.dashboards", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    folder = parser.parse_args().folder
    for name, document in dashboards().items():
        folder.joinpath(name).write_text(text(document))


if __name__ == "__main__":
    main()
