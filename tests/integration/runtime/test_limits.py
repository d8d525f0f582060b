"""Limits of a run: each one has its error, and the next run is served normally."""

from typing import NamedTuple

import pytest

from tests.integration.runtime.served import ServedRuntime


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


def test_the_layers_of_confinement_are_on(interpreter: ServedRuntime) -> None:
    layers = interpreter.executor.isolation()
    assert [name for name, on in layers.items() if not on] == []
