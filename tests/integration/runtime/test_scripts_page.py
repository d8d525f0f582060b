"""What docs/scripts.md says: its examples, its tables, and the libraries that the runtimes list."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runtime.process.failures import KINDS
from tests.conftest import ROOT
from tests.integration.runtime.served import ServedRuntime, document

PAGE = (ROOT / "docs" / "scripts.md").read_text()
#: Fixtures by the language of a block.
LANGUAGES = {"js": "packaged_nodejs", "ts": "typescript", "python": "packaged_python", "rust": "rust_runtime"}


class Example(NamedTuple):
    """A block of code with its expected result as JSON, or the `kind`, `type` and line of its failure."""

    language: str
    script: str
    params: str
    result: str | None
    kind: str | None
    error_type: str | None
    line: str | None


EXAMPLES = [
    Example(*found)
    for found in re.findall(
        r"```(js|ts|python|rust)\n(.*?)```\nWith `(.*?)`"
        r"(?:: `(.*?)`\.| it fails: `(\w+)`(?:, `(\w+)`)?(?:, line (\d+))?\.)$",
        PAGE,
        re.DOTALL | re.MULTILINE,
    )
]


def test_every_block_of_code_is_an_example() -> None:
    assert len(EXAMPLES) == sum(PAGE.count(f"```{language}\n") for language in LANGUAGES) > 10


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.script.splitlines()[0][:40])
def test_an_example_does_what_the_page_says(example: Example, request: pytest.FixtureRequest) -> None:
    runtime: ServedRuntime = request.getfixturevalue(LANGUAGES[example.language])
    assert runtime.prepare(example.script).status_code == 200
    if example.result:
        assert runtime.result(example.script, json.loads(example.params)) == json.loads(example.result)
        return
    details = runtime.failure(example.script, json.loads(example.params))
    told = (details["kind"], details["type"] or "", str(details["line"] or ""))
    assert told == (example.kind, example.error_type, example.line)


def test_the_listed_kinds_are_all_kinds() -> None:
    table = PAGE.partition("| kind | meaning |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == KINDS | {"crashed"}


IMPORT_ALL = {
    "python": """
import importlib

def handle(params):
    failed = []
    for name in params["names"]:
        try:
            importlib.import_module(name)
        except Exception as error:
            failed.append(f"{name}: {error!r}")
    return failed
""",
    "nodejs": """
module.exports = ({ params }) => {
  const failed = [];
  for (const name of params.names) {
    try { require(name); } catch (error) { failed.push(`${name}: ${error}`); }
  }
  return failed;
};
""",
}
USUAL = {"python": {"json", "re", "sqlite3", "asyncio"}, "nodejs": {"fs", "crypto", "zlib", "fs/promises"}}


@pytest.fixture(params=["packaged_python", "packaged_nodejs"])
def runtime(request: pytest.FixtureRequest) -> ServedRuntime:
    """Each of the two runtimes in turn."""
    served: ServedRuntime = request.getfixturevalue(request.param)
    return served


def libraries(runtime: ServedRuntime) -> dict[str, Any]:
    answer = runtime.get("/libraries")
    assert answer.status_code == 200, answer.get_json()
    listed: dict[str, Any] = document(answer)
    assert listed["language"] == runtime.language
    return listed


def test_the_list_needs_the_secret(runtime: ServedRuntime) -> None:
    assert runtime.get("/libraries", **{"X-Runtime-Secret": "wrong"}).status_code == 401


def test_every_listed_module_of_the_standard_library_can_be_imported(runtime: ServedRuntime) -> None:
    names = libraries(runtime)["standard_library"]
    assert set(names) >= USUAL[runtime.language]
    assert not [name for name in names if name.startswith("_")]
    assert runtime.result(IMPORT_ALL[runtime.language], {"names": names}) == []


def test_the_version_is_that_of_the_program_that_runs_scripts(runtime: ServedRuntime) -> None:
    script = {
        "python": "import platform\nresult = platform.python_version()",
        "nodejs": "return process.versions.node;",
    }[runtime.language]
    assert libraries(runtime)["version"] == runtime.result(script)


def test_the_packages_of_the_deployment_are_listed_with_their_versions(runtime: ServedRuntime) -> None:
    expected = {
        "python": [{"name": "loose", "version": None}, {"name": "shapes", "version": "1.2.3"}],
        "nodejs": [
            {"name": "@scope/dual", "version": "0.3.0"},
            {"name": "modern", "version": "1.0.0"},
            {"name": "twice", "version": "2.0.1"},
        ],
    }[runtime.language]
    assert libraries(runtime)["packages"] == expected


def test_without_folders_there_are_no_packages(interpreter: ServedRuntime) -> None:
    assert libraries(interpreter)["packages"] == []


def test_a_package_does_not_hide_the_standard_library(packaged_python: ServedRuntime) -> None:
    assert packaged_python.result("import colorsys\nresult = colorsys.rgb_to_hsv(0, 0, 0)") == [0, 0, 0]


def test_nodejs_imports_packages_as_modules(packaged_nodejs: ServedRuntime) -> None:
    script = """
import modern from 'modern';
import { kind } from '@scope/dual';
import twice from 'twice';
import { basename } from 'node:path';

export default async () => [...modern(), kind, twice(3), (await import('twice')).default(4), basename('/a/b')];
"""
    assert packaged_nodejs.result(script) == ["module", 42, "module", 6, 8, "b"]
    assert packaged_nodejs.result("return (await import('@scope/dual')).kind;") == "module"


@pytest.mark.parametrize("name", ["absent", "./package.json", "@scope/dual/common.cjs"])
@pytest.mark.parametrize(
    "form", ["return require('NAME');", "import it from 'NAME'; export default () => it;"]
)
def test_nodejs_imports_nothing_else(packaged_nodejs: ServedRuntime, name: str, form: str) -> None:
    assert packaged_nodejs.failure(form.replace("NAME", name))["kind"] == "exception"


def test_nodejs_imports_no_file_by_its_url(packaged_nodejs: ServedRuntime, packages: Path) -> None:
    address = (packages / "node_modules" / "twice" / "main.js").as_uri()
    assert packaged_nodejs.failure(f"return import('{address}');")["kind"] == "exception"
