"""All dashboards: `python -m deploy.grafana.source.documents DIR` makes a JSON file of each."""

import argparse
import json
from pathlib import Path
from typing import Any

from deploy.grafana.source.function import function
from deploy.grafana.source.infrastructure import infrastructure
from deploy.grafana.source.overview import overview
from deploy.grafana.source.performance import performance
from deploy.grafana.source.runtimes import runtimes


def dashboards() -> dict[str, dict[str, Any]]:
    """The documents by the names of their files."""
    made = (overview(), performance(), runtimes(), infrastructure(), function())
    return {f"{document['uid']}.json": document for document in made}


def text(document: dict[str, Any]) -> str:
    """A file's content: one way to write a document, so that files can be compared."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana.source.documents", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    folder = parser.parse_args().folder
    for name, document in dashboards().items():
        folder.joinpath(name).write_text(text(document))


if __name__ == "__main__":
    main()
