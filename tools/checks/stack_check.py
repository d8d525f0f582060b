"""Refuse what faas-cli would silently ignore: `python -m tools.checks.stack_check [FILE]` looks at a stack file.

Its schema, beside this module, knows no other keys than faas-cli does, and of those labels that the community edition
of OpenFaaS rejects none. Ends with status 1 and one line for each mistake.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).with_name("stack.schema.json")


def mistakes(text: str) -> Iterator[str]:
    """What is wrong with a stack file, each with the path to it."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        yield f"is not YAML: {' '.join(str(error).split())}"
        return
    for mistake in Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(document):
        yield f"{'.'.join(map(str, mistake.absolute_path)) or 'the file'}: {mistake.message}"


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.checks.stack_check", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=Path("stack.yml"), metavar="FILE")
    file = parser.parse_args().file
    found = list(mistakes(file.read_text()))
    for mistake in found:
        print(f"{file}: {mistake}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
