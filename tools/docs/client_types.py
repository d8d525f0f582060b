"""The answers' types in the Python client, made of docs/openapi.yaml: `python -m tools.docs.client_types --write`."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from local.state import ROOT

CONTRACT = ROOT / "docs" / "openapi.yaml"
TYPES = ROOT / "clients" / "python" / "src" / "lambda_ms" / "answers.py"
_PREFIX = "#/components/schemas/"
_HEAD = (
    '"""The answers of the service. Made of its OpenAPI document by datamodel-code-generator: do not edit."""'
)
#: What a client does not check: the service may widen it, and text is for the document's readers.
_LEFT_OUT = {"description", "examples", "minimum", "maximum", "pattern", "format", "title"}
_OPTIONS = (
    "--input-file-type=openapi",
    "--output-model-type=msgspec.Struct",
    "--target-python-version=3.11",
    "--use-standard-collections",
    "--use-union-operator",
    "--use-schema-description",
    "--use-single-line-docstring",
    "--enum-field-as-literal=all",
    "--keyword-only",
    "--disable-timestamp",
    "--disable-future-imports",
    "--use-double-quotes",
    "--formatters=builtin",
    f"--custom-file-header={_HEAD}",
)


def types() -> str:
    """Return the module: a class for each schema that an answer consists of."""
    with tempfile.TemporaryDirectory() as folder:
        document, module = Path(folder) / "openapi.yaml", Path(folder) / "answers.py"
        document.write_text(yaml.safe_dump(_answers(yaml.safe_load(CONTRACT.read_text())), sort_keys=False))
        programs = Path(sys.executable).parent
        generator = [str(programs / "datamodel-codegen"), "--input", str(document), "--output", str(module)]
        subprocess.run([*generator, *_OPTIONS], check=True)
        configuration = ["--config", str(ROOT / "pyproject.toml"), "--quiet"]
        for command in (["check", "--select", "I", "--fix"], ["format"]):
            subprocess.run([str(programs / "ruff"), *command, *configuration, str(module)], check=True)
        return module.read_text()


def _answers(contract: dict[str, Any]) -> dict[str, Any]:
    """Return a document of the schemas that successful answers name, without what only people read."""
    schemas, named = contract["components"]["schemas"], set[str]()

    def collect(node: object) -> None:
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).removeprefix(_PREFIX)
            if name in schemas and name not in named:
                named.add(name)
                collect(schemas[name])
            node = list(node.values())
        if isinstance(node, list):
            for each in node:
                collect(each)

    for operations in contract["paths"].values():
        for operation in operations.values():
            collect([answer for status, answer in operation["responses"].items() if status[0] == "2"])
    kept = {name: _plain(schema) for name, schema in schemas.items() if name in named}
    for name, schema in kept.items():
        schema["description"] = schemas[name]["description"]
    return contract | {"paths": {}, "components": {"schemas": kept}}


def _plain(node: Any) -> Any:
    """Return a schema without what is left out. Names of properties stay, whatever they are."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {name: value for name, value in node.items() if name not in _LEFT_OUT}
    return {
        name: {each: _plain(schema) for each, schema in value.items()}
        if name == "properties"
        else _plain(value)
        for name, value in kept.items()
    }


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs.client_types", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the module; else print it")
    made = types()
    if parser.parse_args().write:
        TYPES.write_text(made)
    else:
        print(made, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
