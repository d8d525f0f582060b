"""The files of a new project."""

from collections.abc import Mapping
from enum import StrEnum


class Language(StrEnum):
    """The languages that a project can be begun in."""

    python = "python"
    nodejs = "nodejs"
    typescript = "typescript"
    rust = "rust"


_SCRIPTS: Mapping[Language, tuple[str, str]] = {
    Language.python: (
        "py",
        '''"""Greets somebody by name."""


def handle(params):
    return {"greeting": f"Hello, {params['name']}!"}
''',
    ),
    Language.nodejs: (
        "js",
        """/** Greets somebody by name. */
module.exports = async ({ params }) => {
  return { greeting: `Hello, ${params.name}!` };
};
""",
    ),
    Language.typescript: (
        "ts",
        """/** Greets somebody by name. */
export default async ({ params }: { params: { name: string } }) => {
  return { greeting: `Hello, ${params.name}!` };
};
""",
    ),
    Language.rust: (
        "rs",
        """//! Greets somebody by name.
use serde_json::{json, Map, Value};

pub fn handler(event: Map<String, Value>) -> Result<Value, String> {
    let name = event["params"]["name"].as_str().ok_or("no name")?;
    Ok(json!({"greeting": format!("Hello, {name}!")}))
}
""",
    ),
}
_SETTINGS = """# What the service is told beside the script. docs/clients.md has all fields.
script = "{script}"
tags = ["example"]
timeout_ms = 1000

[schema.params]
type = "object"
required = ["name"]
properties.name = {{ type = "string", minLength = 1 }}

# `lambda-ms deploy --verify` refuses a version for which an example differs.
[[examples]]
name = "the world"
params = {{ name = "world" }}
result = {{ greeting = "Hello, world!" }}
"""
_TEST = '''"""Run them by `pytest`, with LAMBDA_MS_CHECKOUT naming a checkout of lambda-microservice."""

from pathlib import Path

SCRIPT = Path(__file__).with_name("{script}")


def test_the_examples_hold(lambda_client):
    assert lambda_client.deploy(SCRIPT, verify=True).version >= 1


def test_it_greets(lambda_client):
    name = lambda_client.deploy(SCRIPT).language_title

    assert lambda_client.run(name, {{"name": "pytest"}}).result == {{"greeting": "Hello, pytest!"}}
'''


def files(name: str, language: Language) -> Mapping[str, str]:
    """Return the files of a project by their names, the script first."""
    suffix, script = _SCRIPTS[language]
    file = f"{name}.{suffix}"
    test = f"test_{name.replace('-', '_').replace('.', '_')}.py"
    return {file: script, "function.toml": _SETTINGS.format(script=file), test: _TEST.format(script=file)}
