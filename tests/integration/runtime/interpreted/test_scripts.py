"""One table of the behaviour of scripts: each row is run by every interpreted language."""

from typing import Any, NamedTuple

import pytest

from runtime.sandbox.confine import environment
from tests.integration.runtime.interpreted.served import Server


class Row(NamedTuple):
    """A script with the same behaviour in each language, and the expected members of the answer."""

    python: str
    nodejs: str
    expected: dict[str, Any]

    def script(self, server: Server) -> str:
        script: str = getattr(self, server.language)
        return script


FAILURES = {
    "raises": Row(
        "def handle(params):\n    raise ValueError('boom')\n",
        "module.exports = () => {\n    throw new TypeError('boom');\n};\n",
        {"kind": "exception", "message": "boom", "line": 2},
    ),
    "raises in windows line ends after a byte order mark": Row(
        "\ufeffdef handle(params):\r\n\r\n\traise ValueError('boom')\r\n",
        "\ufeffmodule.exports = async () => {\r\n\r\n\tthrow new TypeError('boom');\r\n};\r\n",
        {"kind": "exception", "message": "boom", "line": 3},
    ),
    "raises at the top level": Row(
        "x = 1\nx.nothing\n", "const x = null;\nx.nothing;\n", {"kind": "exception", "line": 2}
    ),
    "recurses without end": Row(
        "def handle(params):\n    return handle(params)\n",
        "module.exports = function f() {\n    return f() + 1;\n};\n",
        {"kind": "exception"},
    ),
    "ends its process": Row(
        "import os\nprint('bye')\nos._exit(3)\n",
        "console.log('bye');\nprocess.exit(3);\n",
        {
            "kind": "crashed",
            "message": "the script's process failed: it ended with status 3",
            "stdout": "bye\n",
        },
    ),
    "kills its process": Row(
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
        "process.kill(process.pid, 'SIGKILL'); for (;;);\n",
        {"kind": "crashed", "message": "the script's process failed: it was ended by SIGKILL"},
    ),
    "answers not a number": Row(
        "def handle(params):\n    return {'a': [1, float('nan')]}\n",
        "module.exports = () => ({ a: [1, NaN] });\n",
        {"kind": "result_not_json", "line": None},
    ),
    "answers a cycle": Row(
        "def handle(params):\n    a = {}\n    a['b/c'] = [a]\n    return a\n",
        "module.exports = () => {\n    const a = {};\n    a['b/c'] = [a];\n    return a;\n};\n",
        {"kind": "result_not_json", "message": "the result contains itself at /b~1c/0"},
    ),
    "answers something deep": Row(
        "def handle(params):\n    a = []\n    for _ in range(300):\n        a = [a]\n    return a\n",
        "module.exports = () => { let a = []; for (let i = 0; i < 300; i++) a = [a]; return a; };\n",
        {"kind": "result_not_json", "message": "the result is nested deeper than 200 levels"},
    ),
    "answers too much": Row(
        "def handle(params):\n    return 'x' * 6291456\n",
        "module.exports = () => 'x'.repeat(6291456);\n",
        {"kind": "output_limit", "message": "the result has 6291458 bytes, the limit is 6291456"},
    ),
    "has no handler": Row("def main(params): pass\n", "const x = 1;\n", {"kind": "exception", "line": None}),
    "writes garbage to the channel": Row(
        "import os\ndef handle(params):\n    os.write(3, b'\\xff' * 64)\n    return 1\n",
        "module.exports = () => { require('fs').writeSync(3, Buffer.alloc(64, 255)); return 1; };\n",
        {"kind": "crashed"},
    ),
    "writes an answer without a request": Row(
        'import os\nframe = b\'{"id":99,"result":1}\'\nos.write(3, len(frame).to_bytes(4) + frame)\nresult = 1\n',
        'const frame = Buffer.from(\'\\0\\0\\0\\0{"id":99,"result":1}\');\nframe.writeUInt32BE(frame.length - 4);\n'
        "require('fs').writeSync(3, frame);\nreturn 1;\n",
        {"kind": "crashed"},
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failing_script_has_its_error_and_does_not_affect_others(runtime: Server, name: str) -> None:
    row = FAILURES[name]
    failure = runtime.failure(row.script(runtime))
    assert {key: failure[key] for key in row.expected} == row.expected
    assert runtime.result(ECHO.script(runtime), {"a": 1}) == {"a": 1}


ECHO = Row("def handle(params):\n    return params\n", "module.exports = async ({ params }) => params;\n", {})


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"text": "ラムダ\u0000😀\ud800"},
        {"n": [1, -0.5, 1e308, True, None, {"": {}}]},
        {"big": "x" * 3_000_000},
    ],
    ids=["empty", "unicode", "numbers", "megabytes"],
)
def test_params_are_returned_unchanged(runtime: Server, params: dict[str, Any]) -> None:
    assert runtime.result(ECHO.script(runtime), params) == params


def test_a_deadline_ends_the_run_in_time_and_keeps_its_output(runtime: Server) -> None:
    endless = Row(
        "print('started', end='', flush=False)\nwhile True: pass\n",
        "process.stdout.write('started'); for (;;);\n",
        {},
    ).script(runtime)
    assert runtime.prepare(endless).status_code == 200
    answer = runtime.run(endless, timeout_ms=300)
    assert answer.status_code == 504
    assert answer.json()["error"]["details"] == {"timeout_ms": 300, "stdout": "started", "stderr": ""}
    assert answer.elapsed.total_seconds() < 0.8
    assert runtime.result(ECHO.script(runtime), {"a": 1}) == {"a": 1}


def test_output_is_separated_by_stream_and_run_and_never_blocks(runtime: Server) -> None:
    printing = Row(
        "import sys\ndef handle(params):\n    print('あ' * 100_000)\n    print('e', file=sys.stderr)\n",
        "module.exports = () => { console.log('あ'.repeat(100000)); console.error('e'); return null; };\n",
        {},
    ).script(runtime)
    runtime.fresh(printing)
    answer = runtime.run(printing).json()
    head, note, tail = answer["stdout"].split("\n", 2)
    assert answer["stderr"] == "e\n"
    assert set(head) == {"あ"}
    assert set(tail) == {"あ", "\n"}
    dropped = 300_001 - len(head.encode()) - len(tail.encode())
    assert note == f"... {dropped} bytes left out ..."


def test_output_that_is_not_utf8_is_escaped(runtime: Server) -> None:
    raw = Row(
        "import os\nos.write(1, b'a\\xffb')\nresult = 1\n",
        "process.stdout.write(Buffer.from([97, 255, 98])); return 1;\n",
        {},
    ).script(runtime)
    assert runtime.fresh(raw).json()["stdout"] == "a\\xffb"


def test_a_process_sees_nothing_of_the_host(runtime: Server) -> None:
    looking = Row(
        "import os\nresult = [sorted(os.environ), os.getsid(0) == os.getpid(), os.listdir('.')]\n",
        "return [Object.keys(process.env).sort(), true, require('fs').readdirSync('.')];\n",
        {},
    ).script(runtime)
    own = {"python": ["script.py"], "nodejs": []}[runtime.language]
    assert runtime.result(looking) == [sorted(environment("")), True, own]


def test_nothing_of_a_script_runs_when_it_is_prepared(runtime: Server) -> None:
    once = Row("raise ValueError\n", "throw new Error();\n", {}).script(runtime)
    assert runtime.prepare(once).json() == {"artifact_cached": False}
    assert runtime.prepare(once).json() == {"artifact_cached": True}
