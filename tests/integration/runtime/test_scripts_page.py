"""The examples of docs/scripts.md do what the page says, and its tables match the code."""

import json
import re
from typing import NamedTuple

import pytest

from runtime.process.failures import KINDS
from tests.conftest import ROOT
from tests.integration.runtime.served import ServedRuntime

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
