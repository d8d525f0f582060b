"""Write the OpenAPI document: `python -m tools.docs.openapi FILE`, or `make openapi`."""

import argparse
from pathlib import Path

import yaml

from controller.web.openapi.document import document


def text() -> str:
    """The document in YAML."""
    return yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=118)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.docs.openapi", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.parse_args().file.write_text(text())


if __name__ == "__main__":
    main()
