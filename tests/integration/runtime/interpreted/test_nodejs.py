"""Node.js: the forms of scripts, the places of errors, failures outside the handler's promise."""

import pytest

from tests.integration.runtime.interpreted.served import Server

EVENT = {"params": {"a": 1}, "context": {"user": "ada"}}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("module.exports = async (event) => event", EVENT),
        ("module.exports = (context, callback) => callback(null, context)", EVENT),
        ("module.exports = (e, callback) => { setTimeout(() => callback(undefined, 3), 1); }", 3),
        ("module.exports = (event, callback) => Promise.resolve(event.context)", EVENT["context"]),
        ("module.exports = async (event, context) => context", EVENT["context"]),
        ("exports.handler = ({ params }) => params", EVENT["params"]),
        ("module.exports = { handler: ({ params }) => params }", EVENT["params"]),
        ("return event.params.a + event.params.a;", 2),
        ("const event = 3; return event;", 3),
        ("const a = await Promise.resolve(event.params.a);\nreturn a + 1;", 2),
        ("await 1;\nmodule.exports = ({ params }) => params", EVENT["params"]),
        ("export default ({ params }) => params", EVENT["params"]),
        ("export const handler = async (event) => event", EVENT),
        (
            "import { join } from 'node:path';\nconst x = await 5;\nexport default () => join('a', `${x}`)",
            "a/5",
        ),
        ("module.exports = async () => (await import('node:path')).sep", "/"),
        ("#!/usr/bin/env node\nmodule.exports = () => require('path').sep", "/"),
        ("module.exports = () => {}", None),
        ("module.exports = () => ({ a: undefined, d: new Date(0) })", {"d": "1970-01-01T00:00:00.000Z"}),
    ],
)
def test_each_form_of_a_script_runs(nodejs: Server, script: str, expected: object) -> None:
    assert nodejs.result(script, {"a": 1}) == expected


def test_a_module_runs_its_top_level_once_and_a_body_each_time(nodejs: Server) -> None:
    module = "let calls = 0; module.exports = () => ++calls;"
    body = "let calls = 0; return ++calls + event.params.n;"
    assert [nodejs.result(module), nodejs.result(module)] == [1, 2]
    assert [nodejs.result(body, {"n": 1}), nodejs.result(body, {"n": 2})] == [2, 3]


@pytest.mark.parametrize(
    ("script", "message", "line", "column"),
    [
        ("module.exports = () => {\n  const x = ;\n};", "Unexpected token ';'", 2, 13),
        ("return 1;\n\nlet x = (", "Unexpected end of input", 3, 10),
        ("await 1;\n  return 1 +* 2", "Unexpected token '*'", 2, 13),
        ("await 1;\nawait (", "Unexpected end of input", 2, 8),
        ("import x from 'os';\nexport default () => {\n  const y = ;\n};", "Unexpected token ';'", 3, 13),
        (
            "import {\n  sep } from 'path';\nexport { sep };\nexport default async () => 1 2",
            "Unexpected number",
            4,
            30,
        ),
        ("export default () => {\n", "Unexpected end of input", 2, 1),
        ("\r\n\tlet あ = 1a", "Invalid or unexpected token", 2, 10),
        ("x\0y", "Invalid or unexpected token", 1, 2),
    ],
)
def test_a_script_that_does_not_compile_is_refused_with_its_place(
    nodejs: Server, script: str, message: str, line: int, column: int
) -> None:
    answer = nodejs.prepare(script)
    assert answer.status_code == 400
    error = answer.json()["error"]
    place = {"line": line, "column": column}
    assert error["message"] == message
    assert error["details"] == {"stage": "parse", **place, "diagnostics": [{"message": message, **place}]}


@pytest.mark.parametrize(
    ("script", "message", "line", "column"),
    [
        ("throw 'text'", "text", None, None),
        ("module.exports = () => Promise.reject({ code: 7 })", "{ code: 7 }", None, None),
        ("module.exports = (e, cb) => cb(new Error('cb'))", "cb", 1, 32),
        ("await 1;\n  null.x", "Cannot read properties of null (reading 'x')", 2, 8),
        ("export default () => {\n  throw new Error('esm');\n}", "esm", 2, 9),
        (
            "module.exports = () => new Promise(() => setTimeout(() => {\n  throw new Error('later');\n}))",
            "later",
            2,
            9,
        ),
        (
            "module.exports = () => {\n  Promise.reject(new Error('lost'));\n  return new Promise(() => {});\n}",
            "lost",
            2,
            18,
        ),
        ("import x from 'nothing';\nexport default () => 1", "Cannot find module 'nothing'", None, None),
        ("return [new Map()]", "the result holds a Map at /0", None, None),
        ("return [() => 1]", "the result holds a function at /0", None, None),
    ],
)
def test_each_failure_has_its_kind_and_type(
    nodejs: Server, script: str, message: str, line: int | None, column: int | None
) -> None:
    failure = nodejs.failure(script)
    assert (failure["message"], failure["line"], failure["column"]) == (message, line, column)


def test_a_stack_trace_shows_the_users_frames_only(nodejs: Server) -> None:
    failure = nodejs.failure("function inner() { null.x; }\nmodule.exports = async () => inner();")
    assert failure["stack_trace"].splitlines() == [
        "TypeError: Cannot read properties of null (reading 'x')",
        "    at inner (script.js:1:25)",
        "    at module.exports (script.js:2:30)",
    ]
