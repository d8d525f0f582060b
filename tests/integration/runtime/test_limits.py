"""Limits of a run: each one has its error, and the next run is served normally."""

from typing import NamedTuple

import pytest

from tests.integration.runtime.served import ServedRuntime, document


class Case(NamedTuple):
    """A script of each language that breaks one limit, and the error."""

    python: str
    nodejs: str
    kind: str


GOOD = {"python": "def handle(params):\n    return 42\n", "nodejs": "module.exports = () => 42;"}

CASES = {
    "memory at once": Case(
        "def handle(params):\n    return len('x' * (1 << 30))\n",
        "module.exports = () => { const all = []; for (let i = 0; i < 1024; i++) "
        "all.push(Buffer.alloc(1 << 20, 1)); return all.length; };",
        "memory_limit",
    ),
    "memory bit by bit": Case(
        "def handle(params):\n    all = []\n    for i in range(1024): all.append(bytearray(1 << 20))\n    return 1\n",
        "module.exports = () => { const all = []; for (let i = 0; i < 4e7; i++) all.push({i}); return 1; };",
        "memory_limit",
    ),
    "a result too large": Case(
        "def handle(params):\n    return 'x' * (2 << 20)\n",
        "module.exports = () => 'x'.repeat(2 << 20);",
        "output_limit",
    ),
    "a result that is no JSON": Case(
        "def handle(params):\n    return {'a': [float('nan')]}\n",
        "module.exports = () => ({a: [NaN]});",
        "result_not_json",
    ),
    "a cycle": Case(
        "def handle(params):\n    a = []\n    a.append(a)\n    return a\n",
        "module.exports = () => { const a = []; a.push(a); return a; };",
        "result_not_json",
    ),
    "the end of its own process": Case(
        "import os\ndef handle(params):\n    os._exit(3)\n",
        "module.exports = () => process.exit(3);",
        "crashed",
    ),
    "files bit by bit": Case(
        "import time\ndef handle(params):\n    for i in range(64):\n"
        "        open(str(i), 'wb').write(b'x' * (1 << 20))\n        time.sleep(0.05)\n    return 1\n",
        "const fs = require('fs'); module.exports = async () => { for (let i = 0; i < 64; i++) { "
        "fs.writeFileSync(String(i), Buffer.alloc(1 << 20, 1)); await new Promise((f) => setTimeout(f, 50)); } };",
        "exception",
    ),
    "one large file": Case(
        "def handle(params):\n    open('x', 'wb').write(b'x' * (80 << 20))\n",
        "module.exports = () => require('fs').writeFileSync('x', Buffer.alloc(80 << 20, 1));",
        "exception",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_broken_limit_has_its_error(interpreter: ServedRuntime, name: str) -> None:
    case = CASES[name]
    # On a busy machine the memory is used up late.
    details = interpreter.failure(getattr(case, interpreter.language), timeout_ms=120_000)
    assert details["kind"] == case.kind
    assert interpreter.result(GOOD[interpreter.language]) == 42


def test_printing_too_much_does_not_end_the_run(interpreter: ServedRuntime) -> None:
    script = {
        "python": "def handle(params):\n    for i in range(20000): print('line', i)\n    return 1\n",
        "nodejs": "module.exports = () => { for (let i = 0; i < 20000; i++) console.log('line', i); return 1; };",
    }[interpreter.language]
    answer = document(interpreter.run(script))
    assert answer["result"] == 1
    assert answer["stdout"].startswith("line 0\n")
    assert answer["stdout"].endswith("line 19999\n")
    assert "bytes left out" in answer["stdout"]
    assert len(answer["stdout"]) < 5000


def test_output_of_a_killed_run_is_kept(interpreter: ServedRuntime) -> None:
    script = {
        "python": "import sys\nprint('out')\nprint('err', file=sys.stderr)\nwhile True: pass\n",
        "nodejs": "module.exports = () => { console.log('out'); console.error('err'); for (;;); };",
    }[interpreter.language]
    answer = interpreter.run(script, timeout_ms=400)
    error = document(answer)["error"]
    details = error["details"]
    assert (answer.status_code, error["code"]) == (504, "TIMEOUT")
    assert (details["stdout"], details["stderr"]) == ("out\n", "err\n")


def test_bytes_that_are_no_text_are_escaped(interpreter: ServedRuntime) -> None:
    script = {
        "python": "import os\ndef handle(params):\n    os.write(1, b'a\\xffb')\n    return 1\n",
        "nodejs": "module.exports = () => { process.stdout.write(Buffer.from([97, 255, 98])); return 1; };",
    }[interpreter.language]
    assert document(interpreter.run(script))["stdout"] == "a\\xffb"


def test_the_layers_of_confinement_are_on(interpreter: ServedRuntime) -> None:
    layers = interpreter.executor.isolation()
    assert [name for name, on in layers.items() if not on] == []
