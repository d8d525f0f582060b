"""What a user does with the console, from the first click on."""

import json
import os
import subprocess
import time
from typing import Any

import pytest

from tests.acceptance.client import Client
from tests.acceptance.console.conftest import Console, member
from tests.acceptance.deployment import Deployment
from tests.waiting import until

OWN_SCRIPT = 'def handle(params):\n    return {"twice": params["n"] * 2}\n'
MARKUP = "<img src=x onerror=\"document.title='broken in'\">"
SYNTAX = "INITIALIZATION_ERROR"
#: Language, script, params, and what is to be seen: words of the outcome and the line.
ERRORS: dict[str, tuple[str, str, dict[str, Any], list[str], int]] = {
    "Python, syntax": ("python", "def handle(params):\n    return (1\n", {}, [SYNTAX, "never closed"], 2),
    "Python, raised": (
        "python",
        "def handle(params):\n\n    return 1 / params['by']\n",
        {"by": 0},
        ["exception", "ZeroDivisionError"],
        3,
    ),
    "JavaScript, syntax": (
        "nodejs",
        "module.exports = () => {\n  return 1 +;\n};\n",
        {},
        [SYNTAX, "Unexpected token"],
        2,
    ),
    "TypeScript, thrown": (
        "typescript",
        "export default ({ params }: { params: { n: number } }) => {\n"
        "  throw new RangeError(`not ${params.n}`);\n};\n",
        {"n": 4},
        ["exception", "RangeError: not 4"],
        2,
    ),
    "Rust, types": (
        "rust",
        "use serde_json::{Map, Value};\n\npub fn handler(context: Map<String, Value>) -> Result<Value, String> {\n"
        "    Ok(context.nothing())\n}\n",
        {},
        [SYNTAX, "no method named"],
        4,
    ),
}


def put(client: Client, name: str, **fields: Any) -> dict[str, Any]:
    answer = client.request("PUT", f"/api/v1/functions/{name}", json=fields)
    assert answer.ok, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_from_an_empty_service_to_an_own_result_in_less_than_a_minute(console: Console) -> None:
    begun, page = time.monotonic(), console.page
    console.open()
    assert "token" not in page.read("location.href")
    assert page.read("[document.cookie, Object.values(sessionStorage)]") == ["", [console.client.token]]
    page.click("link", "Python")
    console.write(OWN_SCRIPT)
    page.click("tab", "Settings")
    page.fill("Schema of the params", '{"properties": {"n": {"type": "integer"}}, "type": "object"}')
    page.click("tab", "Run")
    page.fill("n", "21")
    assert '"twice": 42' in console.run()
    assert time.monotonic() - begun < 60
    page.fill("Name", "double")
    page.click("field", "Run the examples first")
    page.click("button", "Save")
    page.sees("version 1")
    saved = console.client.request("GET", "/api/v1/functions/python-double").json()
    assert saved["script_content"] == OWN_SCRIPT


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_is_drawn_at_its_place(console: Console, case: str) -> None:
    language, script, params, words, line = ERRORS[case]
    console.open("new", language)
    console.write(script)
    console.page.click("tab", "Settings")
    console.page.fill("Schema of the params", "")
    console.page.click("tab", "Run")
    console.params(params)
    shown = console.run("failed")
    assert [word for word in words if word not in shown] == []
    console.page.until("driver.inside('.cm-message').length", "the message in the editor")
    assert console.marked_line == line
    assert words[-1] in console.messages[0]


def test_a_hint_stands_beside_the_error(console: Console) -> None:
    console.open("new", "python")
    console.write('def handle(params):\n    return open("/etc/shadow").read()\n')
    assert "Hint: " in console.run("failed")
    console.page.until("driver.inside('.cm-message').length", "the message in the editor")
    assert "`/etc/shadow` is closed to the script" in console.messages[0]


def test_a_timeout_says_how_long_it_was_and_shows_the_output(console: Console) -> None:
    console.open("new", "python")
    console.write('def handle(params):\n    print("on its way", flush=True)\n    while True: pass\n')
    console.page.click("tab", "Settings")
    console.page.fill("Timeout, in milliseconds", "500")
    console.page.click("tab", "Run")
    shown = console.run("failed")
    assert "The deadline passed" in shown
    assert "500 ms" in shown
    assert "on its way" in shown


def test_a_memory_limit_says_what_it_was_and_what_to_do(console: Console) -> None:
    console.open("new", "python")
    console.write("def handle(params):\n    return len(bytearray(1 << 31))\n")
    shown = console.run("failed")
    assert "The script used more memory than it may" in shown
    assert "Hint: The memory of a script is limited" in shown


def test_markup_of_a_script_is_text(console: Console) -> None:
    body = {
        "script_content": f"def handle(params):\n    print({MARKUP!r})\n    return {{{MARKUP!r}: {MARKUP!r}}}\n"
    }
    put(console.client, "python-markup", **body, description=MARKUP, tags=[MARKUP[:60]])
    console.open("functions", "python-markup")
    console.params({"text": MARKUP})
    console.run()
    assert console.page.text.count("<img src=x") >= 3
    console.write(f"raise ValueError({MARKUP!r})\n")
    assert "<img src=x" in console.run("failed")
    until(lambda: len(rows(console.client)) == 2, "the log of both runs")
    console.page.read("window.confirm = () => true")
    console.go("executions")
    console.page.click("button", "Details")
    console.page.sees("<img src=x")
    assert console.page.read("[document.images.length, document.title]") == [0, "Executions · Console"]


def rows(client: Client) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = client.request("GET", "/api/v1/executions").json()["executions"]
    return listed


def test_another_users_function_is_not_reached(console: Console, service: Deployment) -> None:
    put(
        member(service), "python-hidden", script_content="def handle(params):\n    return 'of another user'\n"
    )
    console.open("functions", "python-hidden")
    console.page.sees("it belongs to another user")
    console.go("functions", "python-hidden", "versions")
    console.page.sees("it belongs to another user")
    console.go("executions")
    console.page.sees("Nothing has run")
    assert "of another user" not in console.page.text


def test_an_example_is_kept_run_and_refused_where_it_differs(console: Console) -> None:
    page = console.page
    put(console.client, "nodejs-area", script_content="return event.params.a * event.params.b;")
    console.open("functions", "nodejs-area")
    console.params({"a": 3, "b": 4})
    console.run()
    page.click("button", "Keep as an example")
    page.click("tab", "Examples")
    page.click("button", "Run all")
    page.sees("1 of 1 passed")
    console.write("return event.params.a + event.params.b;")
    page.click("tab", "Examples")
    page.click("button", "Run all")
    page.sees("0 of 1 passed")
    page.click("button", "Save as a new version")
    page.sees("1 of 1 examples differ")
    page.click("field", "Run the examples first")
    page.click("button", "Save as a new version")
    page.sees("Saved as version 2.")


def test_what_is_not_saved_does_not_meet_the_callers(console: Console) -> None:
    put(console.client, "python-steady", script_content="def handle(params):\n    return 'steady'\n")
    console.open("functions", "python-steady")
    console.write("def handle(params):\n    return 'draft'\n")
    assert "python-console-draft@1" in console.run()
    called = console.client.request("POST", "/api/v1/functions/python-steady/execute", json={})
    assert called.json()["result"] == "steady"


def test_versions_are_compared_tried_on_a_part_and_rolled_back(console: Console) -> None:
    page, path = console.page, "/api/v1/functions/python-step"
    for number in (1, 2):
        put(console.client, "python-step", script_content=f"def handle(params):\n    return {number}\n")
    console.open("functions", "python-step", "versions")
    page.until("driver.inside('.cm-changedLine').length === 2", "the changed line of both versions")
    page.click("button", "Make live")
    page.click("button", "Roll back to 1")
    page.sees("live → version 1")
    page.click("summary", "Set an alias")
    page.choose("Version", "1")
    page.choose("Canary", "2")
    page.fill("Share of the canary", "25")
    page.click("button", "Set")
    page.sees("25% get version 2")
    alias = console.client.request("GET", f"{path}/aliases/live").json()
    assert alias == {"alias": "live", "version": 1, "canary": {"version": 2, "weight": 0.25}}
    page.click("button", "Give it to all")
    page.sees("live → version 2")


def test_a_key_is_made_shown_once_and_revoked(console: Console) -> None:
    page = console.page
    console.open("keys")
    page.sees("There are no keys yet")
    page.click("summary", "New key")
    page.fill("Name", "nightly")
    page.click("field", "read:functions")
    page.click("button", "Make the key")
    page.sees("the only time that the key is shown")
    key = str(page.read("document.querySelector('.secret').textContent"))
    holder = Client.with_token(console.client.url, console.client.sub, key)
    assert holder.request("GET", "/api/v1/functions").status_code == 200
    page.click("button", "I have it")
    page.until("!driver.text().includes('lmk_')", "the key to go")
    page.click("button", "Revoke")
    page.click("button", "Yes")
    page.sees("There are no keys yet")


def test_an_execution_is_found_read_and_repeated(console: Console) -> None:
    page, client = console.page, console.client
    put(client, "python-double", script_content=OWN_SCRIPT)
    path = "/api/v1/functions/python-double/execute"
    assert client.request("POST", path, json={"params": {"n": 5}}).status_code == 200
    assert client.request("POST", path, json={"params": {}}).status_code == 500
    until(lambda: len(rows(client)) == 2, "the log of both runs")
    console.open("executions")
    page.choose("Outcome", "ok")
    page.until("document.querySelectorAll('.executions tbody tr').length === 1", "the one that went well")
    page.click("button", "Details")
    page.sees('"twice": 10')
    page.click("summary", "Session")
    page.sees("2 executions")
    page.click("button", "Repeat")
    page.until("document.querySelector('.editor[data-ready=true]')", "the editor")
    assert page.read("JSON.parse(document.querySelector('textarea[aria-label^=Params]').value)") == {"n": 5}
    assert '"twice": 10' in console.run()
    console.go("usage")
    page.sees("RUNTIME_ERROR 1")
    page.sees("Last day")


def test_a_call_is_copied_as_curl_python_and_javascript(console: Console, node_program: str) -> None:
    put(console.client, "python-double", script_content=OWN_SCRIPT)
    console.open("functions", "python-double")
    console.params({"n": 8})
    console.page.read("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    variables = {**os.environ, "TOKEN": console.client.token, "no_proxy": "*"}
    for kind, command in (
        ("curl", ["sh"]),
        ("Python", ["python3"]),
        ("JavaScript", [node_program, "--input-type=module"]),
    ):
        console.page.read("delete window.copied")
        console.page.click("button", kind)
        console.page.until("window.copied", "the copied text")
        text = str(console.page.read("window.copied"))
        done = subprocess.run(command, input=text, env=variables, capture_output=True, text=True, check=True)
        assert "16" in done.stdout, (kind, done.stdout)
        assert console.client.token not in text


def test_functions_are_searched(console: Console) -> None:
    page = console.page
    put(console.client, "python-price", script_content=OWN_SCRIPT, description="with tax", tags=["shop"])
    console.open()
    page.sees("nodejs-calculator")
    page.fill("Tag", "shop")
    page.until("document.querySelectorAll('.cards li').length === 1", "the one with the tag")
    page.click("summary", "Tags, versions and aliases")
    page.sees("1 version")
    page.fill("Search", "nothing like it")
    page.sees("No function fits this search.")


def test_a_form_is_made_of_the_schema(console: Console) -> None:
    properties = {
        "text": {"type": "string"},
        "count": {"type": "integer", "minimum": 0},
        "loud": {"type": "boolean"},
        "colour": {"enum": ["red", "green"]},
        "words": {"type": "array", "items": {"type": "string"}},
        "size": {"type": "object", "properties": {"width": {"type": "number"}}},
        "rest": {},
    }
    schema = {"params": {"type": "object", "properties": properties}}
    put(
        console.client,
        "python-echo",
        script_content="def handle(params):\n    return params\n",
        schema=schema,
    )
    page = console.page
    console.open("functions", "python-echo")
    page.fill("text", "abc")
    page.fill("count", "3")
    page.click("field", "loud")
    page.choose("colour", "green")
    page.fill("words", "one\ntwo")
    page.fill("width", "2.5")
    page.fill("rest", "[null]")
    console.run()
    shown = page.read("document.querySelector('.result pre').textContent")
    assert json.loads(shown) == {
        "text": "abc",
        "count": 3,
        "loud": True,
        "colour": "green",
        "words": ["one", "two"],
        "size": {"width": 2.5},
        "rest": [None],
    }
