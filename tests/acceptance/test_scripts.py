"""Scripts of all languages through the public API. The runtimes' tests say what each form and error comes to."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.client import Client, error_of

SAMPLES = Path(__file__).parents[2] / "sql" / "samples"

SUM = {"a": 2, "b": 3}
FORMS = {
    "nodejs-context": "module.exports = async (event) => event.params.a + event.context.three;",
    "nodejs-body": "return event.params.a + event.params.b;",
    "nodejs-esm-default": "export default (event) => event.params.a + event.params.b;",
    "typescript-module": "export default (e: { params: { a: number; b: number } }) => e.params.a + e.params.b;",
    "python-handle-params": "def handle(params):\n    return params['a'] + params['b']\n",
    "python-handler-event": "def handler(event):\n    return event.params['a'] + event['params']['b']\n",
    "python-body": "result = params['a'] + context['three']\n",
    "rust-handler": (
        "pub fn handler(context: serde_json::Map<String, serde_json::Value>)"
        " -> Result<serde_json::Value, String> {\n"
        '    let a = context["params"]["a"].as_i64().ok_or("no a")?;\n'
        '    let b = context["context"]["three"].as_i64().ok_or("no three")?;\n'
        "    Ok(serde_json::json!(a + b))\n"
        "}\n"
    ),
}


@pytest.mark.parametrize("language_title", FORMS)
def test_every_form_runs_cold_warm_and_cached(client: Client, language_title: str) -> None:
    request_id = client.begin(language_title, FORMS[language_title], three=3)
    answers = [client.execute(request_id, SUM) for _ in range(2)]
    answers.append(client.execute(request_id, SUM, X_Cache_Control="no-cache"))
    assert [answer.json()["result"] for answer in answers] == [5, 5, 5]
    assert [answer.json()["cached"] for answer in answers] == [False, True, False]


def test_an_integer_of_thousands_of_digits_comes_back_digit_by_digit(client: Client) -> None:
    request_id = client.begin("python-long", "def handle(params): return [-(10 ** params['n'])]\n")
    expected = f"[-1{'0' * 6000}]"
    for _ in range(2):  # the second answer comes from the cache
        assert f'"result":{expected}' in client.execute(request_id, {"n": 6000}).text


def samples() -> list[Any]:
    return [
        pytest.param(path.stem, example, id=f"{path.stem}-{number}")
        for path in sorted(SAMPLES.glob("*.json"))
        for number, example in enumerate(json.loads(path.read_text())["examples"])
    ]


@pytest.mark.parametrize(("language_title", "example"), samples())
def test_every_example_of_a_sample_function_is_true(
    client: Client, language_title: str, example: dict[str, Any]
) -> None:
    assert client.result(client.begin(language_title), example["params"]) == example["result"]


def test_every_sample_function_has_examples() -> None:
    names = {path.stem for path in SAMPLES.glob("*.json")}
    assert names == {"nodejs-calculator", "python-text_processor", "rust-data_validator"}
    assert {parameter.values[0] for parameter in samples()} == names


RAISING = [
    ("python-raises", "import math\n\ndef handle(params):\n    return math.sqrt(-1)\n", 4, "ValueError"),
    ("nodejs-throws", "module.exports = () => {\n\n  throw new RangeError('no');\n};\n", 3, "RangeError"),
    (
        "typescript-throws",
        "export default (e: any): never => {\n\n  throw new RangeError('no');\n};\n",
        3,
        "RangeError",
    ),
    (
        "rust-panics",
        "use serde_json::{Map, Value};\n\npub fn handler(_: Map<String, Value>) -> Result<Value, String> {\n"
        '    panic!("no");\n}\n',
        4,
        None,
    ),
]


@pytest.mark.covers("RUNTIME_ERROR", "specification 6: error of the script 500")
@pytest.mark.parametrize(("language_title", "script", "line", "kind"), RAISING)
def test_a_failing_script_is_explained(
    client: Client, language_title: str, script: str, line: int | None, kind: str | None
) -> None:
    request_id = client.begin(language_title, script)
    answer = client.execute(request_id)
    assert answer.status_code == 500
    assert answer.json()["request_id"] == request_id
    details = error_of(answer, "RUNTIME_ERROR")["details"]
    assert details.keys() >= {"kind", "type", "line", "column", "stack_trace", "stdout", "stderr"}
    assert (details["kind"], details["line"]) == ("exception", line)
    if kind is not None:
        assert details["type"] == kind
    assert "node_worker" not in json.dumps(details)
    assert "python_worker" not in json.dumps(details)


@pytest.mark.covers("INITIALIZATION_ERROR")
@pytest.mark.parametrize(
    ("language_title", "script", "line", "column"),
    [
        ("python-syntax", "def handle(params):\n    return (1 +\n", 2, 12),
        ("nodejs-syntax", "module.exports = () => {\n  return 1 +* 2;\n};\n", 2, 13),
        ("typescript-syntax", "export default (e: any) => {\n  return 1 +* 2;\n};\n", 2, 13),
        (
            "rust-types",
            "use serde_json::{Map, Value};\npub fn handler(_: Map<String, Value>) -> Result<Value, String> {\n"
            "    let x: i32 = true;\n    Ok(x.into())\n}\n",
            3,
            18,
        ),
    ],
)
def test_a_script_that_does_not_parse_is_refused(
    client: Client, language_title: str, script: str, line: int, column: int
) -> None:
    answer = client.initialize(language_title, script)
    assert answer.status_code == 400
    details = error_of(answer, "INITIALIZATION_ERROR")["details"]
    assert details.keys() >= {"stage", "line", "column", "diagnostics"}
    assert (details["line"], details["column"]) == (line, column)


@pytest.mark.covers("TIMEOUT", "specification 6: timeout 504")
@pytest.mark.parametrize(
    ("language_title", "script"),
    [
        (
            "python-loops",
            "def handle(params):\n    print('began', flush=True)\n    while params.get('loop'): pass\n    return 1\n",
        ),
        (
            "nodejs-loops",
            "module.exports = ({params}) => { console.log('began'); while (params.loop) {} return 1; };",
        ),
        (
            "rust-loops",
            "pub fn handler(c: serde_json::Map<String, serde_json::Value>) -> Result<serde_json::Value, String> {\n"
            '    println!("began");\n'
            '    while c["params"].get("loop").is_some() { std::thread::yield_now(); }\n'
            "    Ok(serde_json::json!(1))\n}\n",
        ),
    ],
)
def test_a_deadline_kills_and_the_next_call_works(client: Client, language_title: str, script: str) -> None:
    request_id = client.begin(language_title, script, timeout_ms=500)
    assert client.result(request_id) == 1
    answer = client.execute(request_id, {"loop": True})
    assert answer.status_code == 504
    assert answer.elapsed.total_seconds() < 1
    details = error_of(answer, "TIMEOUT")["details"]
    assert details == {"timeout_ms": 500, "stdout": "began\n", "stderr": ""}
    assert client.result(request_id, X_Cache_Control="no-cache") == 1


def test_output_is_answered_beside_the_result(client: Client) -> None:
    script = "import sys\nprint('{\"result\": 0}')\nprint('err', file=sys.stderr)\nresult = 1\n"
    document = client.execute(client.begin("python-prints", script)).json()
    assert (document["result"], document["stdout"], document["stderr"]) == (1, '{"result": 0}\n', "err\n")
