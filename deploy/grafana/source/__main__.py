"""Write the dashboards anew: `python -m deploy.grafana.source DIR` makes a JSON file of each."""

import argparse
from pathlib import Path

from deploy.grafana.source.documents import dashboards, text


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana.source", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    folder = parser.parse_args().folder
    for name, document in dashboards().items():
        folder.joinpath(name).write_text(text(document))


if __name__ == "__main__":
    main()
