"""Python: the forms of scripts, the places of errors, pitfalls of its syntax."""

import hashlib
import json

import pytest
import requests

from tests.integration.runtime.interpreted.conftest import Serve
from tests.integration.runtime.interpreted.served import HEADERS, Server

EVENT = {"params": {"a": 1}, "context": {"user": "ada"}}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("def handle(event, context): return [event, context]", [EVENT, EVENT["context"]]),
        ("def handle(*args): return args", [EVENT, EVENT["context"]]),
        ("def handle(): return 5", 5),
        ("result = [params, context]", [EVENT["params"], EVENT["context"]]),
        ("# coding: latin-1\nresult = 'é'", "é"),
        (
            "from __future__ import annotations\nfrom dataclasses import asdict, dataclass\n"
            "@dataclass\nclass P:\n    x: int\ndef handle(params): return asdict(P(3))",
            {"x": 3},
        ),
    ],
)
def test_each_form_of_a_script_runs(python: Server, script: str, expected: object) -> None:
    assert python.result(script, {"a": 1}) == expected


def test_a_module_runs_its_top_level_once_and_a_body_each_time(python: Server) -> None:
    module = "calls = []\ndef handle(params):\n    calls.append(1)\n    return len(calls)\n"
    body = "result = len(globals().setdefault('calls', [])) + params['n']\n"
    assert [python.result(module), python.result(module)] == [1, 2]
    assert [python.result(body, {"n": 1}), python.result(body, {"n": 2})] == [1, 2]


def test_a_handler_cannot_read_the_first_calls_params_by_mistake(python: Server) -> None:
    assert python.failure("def handle(p):\n    return params\n")["type"] == "NameError"


@pytest.mark.parametrize(
    ("script", "line", "column"),
    [
        ("def f(:\n    pass", 1, 7),
        ("x = 1\n\tx = 2", 2, None),
        ("あ = 'い' 1", 1, None),
        ("x = 1\r\ny = = 2", 2, 5),
        ("x = 1\ny = '\0'", 2, 6),
        ("(" * 300, 1, None),
        ("-" * 1_000_000 + "1", None, None),
    ],
)
def test_a_script_that_does_not_compile_is_refused_with_its_place(
    python: Server, script: str, line: int | None, column: int | None
) -> None:
    answer = python.prepare(script)
    assert answer.status_code == 400
    details = answer.json()["error"]["details"]
    assert details["stage"] == "parse"
    assert details["line"] == line
    assert column is None or details["column"] == column
    assert details["diagnostics"][0]["message"]


def test_a_stack_trace_shows_the_users_lines_and_no_frame_of_ours(python: Server) -> None:
    failure = python.failure(
        "def inner(n):\n    é = 1; return n / 0\n\ndef handle(params):\n    return inner(1)\n"
    )
    assert (failure["type"], failure["line"], failure["column"]) == ("ZeroDivisionError", 2, 19)
    assert failure["stack_trace"].splitlines() == [
        "Traceback (most recent call last):",
        '  File "script.py", line 5, in handle',
        "    return inner(1)",
        "           ^^^^^^^^",
        '  File "script.py", line 2, in inner',
        "    é = 1; return n / 0",
        "                  ~~^~~",
        "ZeroDivisionError: division by zero",
    ]


@pytest.mark.parametrize(
    ("script", "kind", "type_"),
    [
        ("import sys\nsys.exit(4)", "exception", "SystemExit"),
        ("def handle(p):\n    exit()", "exception", "SystemExit"),
        ("raise KeyboardInterrupt", "exception", "KeyboardInterrupt"),
        ("raise MemoryError", "memory_limit", "MemoryError"),
        ("class E(Exception):\n    def __str__(self): raise self\nraise E", "exception", "E"),
        ("async def handle(p):\n    raise OSError(28, 'full')", "exception", "OSError"),
        ("import runtime", "exception", "ModuleNotFoundError"),
        ("result = {(1, 2): 3}", "result_not_json", "dict"),
        ("result = [b'']", "result_not_json", "bytes"),
        ("def handle(a, b, c): pass", "exception", None),
    ],
)
def test_each_failure_has_its_kind_and_type(
    python: Server, script: str, kind: str, type_: str | None
) -> None:
    failure = python.failure(script)
    assert (failure["kind"], failure["type"]) == (kind, type_)


def test_half_a_surrogate_pair_survives(python: Server) -> None:
    assert python.result("result = chr(0xd800)") == "\ud800"


FORKING = "import os\ndef handle(params):\n    if child := os.fork(): os.waitpid(child, 0)\n    return 1\n"


def test_a_script_cannot_fork(python: Server) -> None:
    assert python.failure(FORKING, "RUNTIME_ERROR")["kind"] == "process_limit"


def test_where_it_can_a_forked_copy_of_the_worker_does_not_answer(serve: Serve) -> None:
    server = serve(ISOLATION_OFF="seccomp", ISOLATION_REQUIRED="no_new_privs")
    assert [server.fresh(FORKING).json()["result"], server.run(FORKING).json()["result"]] == [1, 1]


LONG = "7" * 5000


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("import sys\nsys.set_int_max_str_digits(0)\ndef handle(p): return int('7' * 5000)", LONG),
        ("def handle(params): return params['n']", LONG),
        ("def handle(params): return [params['n']][0] * -1", "-" + LONG),
        ("import sys\nsys.set_int_max_str_digits(0)\ndef handle(params): return int(str(params['n']))", LONG),
    ],
)
def test_integers_of_any_length_pass_digit_by_digit(python: Server, script: str, expected: str) -> None:
    for _ in range(2):
        assert f'"result":{expected},' in _text_of_run(python, script)


@pytest.mark.parametrize(
    "script", ["def handle(params): return str(params['n'])", "result = int('7' * 5000)"]
)
def test_a_script_has_pythons_limit_of_digits(python: Server, script: str) -> None:
    assert "Exceeds the limit (4300 digits)" in _text_of_run(python, script)


def _text_of_run(python: Server, script: str) -> str:
    """Return the text of the answer to a run with a param of 5000 digits, which this process could not read."""
    body = {
        "request_id": "r1",
        "tenant": "t1",
        "params": {"n": 0},
        "context": {},
        "timeout_ms": 10_000,
        "script_hash": hashlib.sha256(script.encode()).hexdigest(),
        "script_content": script,
    }
    answer = requests.post(
        f"{python.address}/runtime/python/test",
        data=json.dumps(body).replace('"n": 0', f'"n": {LONG}'),
        headers=HEADERS | {"Content-Type": "application/json"},
        timeout=60,
    )
    return answer.text
