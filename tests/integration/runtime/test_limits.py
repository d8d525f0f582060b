"""Limits and refusals: each one has its error with a hint, in all languages, and the next run is served normally."""

from typing import NamedTuple

import pytest

from tests.integration.runtime.rust.conftest import Choice
from tests.integration.runtime.rust.conftest import script as rust
from tests.integration.runtime.served import ServedRuntime, document


class Case(NamedTuple):
    """A script of each language that breaks one limit, and the error."""

    python: str
    nodejs: str
    kind: str


GOOD = {"python": "def handle(params):\n    return 42\n", "nodejs": "module.exports = () => 42;"}

LIMITS = {
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


@pytest.mark.parametrize("name", LIMITS)
def test_a_broken_limit_has_its_error(interpreter: ServedRuntime, name: str) -> None:
    case = LIMITS[name]
    # On a busy machine the memory is used up late.
    details = interpreter.failure(getattr(case, interpreter.language), timeout_ms=120_000)
    assert details["kind"] == case.kind
    assert interpreter.result(GOOD[interpreter.language]) == 42


def test_the_layers_of_confinement_are_on(interpreter: ServedRuntime) -> None:
    layers = interpreter.executor.isolation()
    assert [name for name, on in layers.items() if not on] == []


RUNTIMES = {"python": "packaged_python", "nodejs": "packaged_nodejs", "rust": "rust_runtime"}


def python(*lines: str) -> str:
    return "def handle(params):\n" + "\n".join(f"    {line}" for line in lines)


def nodejs(body: str) -> str:
    return f"module.exports = async () => {{ {body} }};"


#: Words of the hint and a body, by name.
RUST_CASES = {
    "read": ("any files", '    let _ = context; std::fs::read("/x").map_err(|e| e.to_string())?; Ok(json!(1))'),

    "thread": ("without threads", "    let _ = context; std::thread::spawn(|| ()).join().unwrap(); Ok(json!(1))"),

    "variable": ("no environment variables",
                 '    let _ = context; std::env::var("HOME").map_err(|e| e.to_string()).map(|v| json!(v))'),
    "memory": ("WASM_MEMORY_MAX_BYTES", "    let mut all = vec![context]; loop { all.push(all[0].clone()); }"),
}  # fmt: skip
RUST = Choice(
    {
        **{name: body for name, (_, body) in RUST_CASES.items()},
        "its own": '    let _ = context; Err("not today".into())',
    }
)

CASES = [
    ("python", python("open('/etc/shadow')"), "`/etc/shadow` is closed"),

    ("python", python("open('data.csv')"), "`data.csv` is not here"),
    ("python", python("import socket", "socket.create_connection(('192.0.2.1', 80))"), "no network"),

    ("python", python("import subprocess", "subprocess.run(['ls'])"), "no processes"),

    ("python", python("from multiprocessing.shared_memory import SharedMemory as M", "M(create=True, size=8)"),
     "no locks"),
    ("python", python("import os", "os.kill(1, 9)"), "no process but their own"),

    ("python", python("import numpy"), "`numpy` is not installed"),
    ("python", python("bytearray(1 << 40)"), "MEMORY_MAX_BYTES"),
    ("python", python("import threading as t, time", "while True: t.Thread(target=time.sleep, args=(60,)).start()"),
     "number of threads"),
    ("python", python("input()"), "no standard input"),
    ("nodejs", nodejs("require('fs').readFileSync('/etc/shadow')"), "`/etc/shadow` is closed"),

    ("nodejs", nodejs("require('fs').readFileSync('data.csv')"), "`data.csv` is not here"),
    ("nodejs", nodejs("await fetch('http://192.0.2.1')"), "no network"),

    ("nodejs", nodejs("require('child_process').execSync('ls')"), "no processes"),
    ("nodejs", nodejs("process.kill(1)"), "no process but their own"),

    ("nodejs", nodejs("require('axios')"), "`axios` is not installed"),

    ("nodejs", nodejs("require('./other')"), "one file"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "script", "words"), CASES, ids=[f"{case[0]}: {case[2]}" for case in CASES]
)
def test_a_refusal_has_a_hint(language: str, script: str, words: str, request: pytest.FixtureRequest) -> None:
    runtime: ServedRuntime = request.getfixturevalue(RUNTIMES[language])
    assert words in runtime.failure(script).get("hint", "")


@pytest.mark.parametrize("name", RUST_CASES)
def test_a_refusal_in_rust_has_a_hint(name: str, rust_runtime: ServedRuntime) -> None:
    hint = rust_runtime.failure(RUST.script, {"case": name}).get("hint", "")
    assert RUST_CASES[name][0] in hint


@pytest.mark.parametrize(
    ("language", "script"),
    [
        ("python", python("raise PermissionError('you may not')")),
        ("nodejs", nodejs("throw new Error('not today')")),
        ("rust", RUST.script),
    ],
)
def test_an_error_of_the_script_itself_has_none(
    language: str, script: str, request: pytest.FixtureRequest
) -> None:
    runtime: ServedRuntime = request.getfixturevalue(RUNTIMES[language])
    assert "hint" not in runtime.failure(script, {"case": "its own"})


@pytest.mark.parametrize("line", ["use rand::Rng;", "extern crate regex;"])
def test_a_crate_that_is_not_there_is_explained(line: str, rust_runtime: ServedRuntime) -> None:
    answer = rust_runtime.prepare(line + rust("    let _ = context; Ok(json!(1))"))
    assert answer.status_code == 400
    assert "no other crates" in document(answer)["error"]["details"]["hint"]
