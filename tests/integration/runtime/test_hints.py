"""Errors that teach: what the confinement refuses in a real worker comes with a hint, in all languages."""

import pytest

from tests.integration.runtime.rust.served import Choice
from tests.integration.runtime.rust.served import script as rust
from tests.integration.runtime.served import ServedRuntime, document

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
