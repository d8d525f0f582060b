"""Node.js: handlers in every form, modules that look around themselves, and failures outside of the handler."""

from typing import Any

import pytest

from tests.integration.runtime.interpreted.served import Server

CONTEXT = {"user": "ada"}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("module.exports = (event, context) => context.user;", "ada"),
        ("module.exports = (event, context) => Promise.resolve({ ...context });", CONTEXT),
        ("module.exports = (event, { user }) => user;", "ada"),
        (
            "exports.handler = (event, context, callback) => { setTimeout(callback, 5, null, context.user); };",
            "ada",
        ),
        ("exports.handler = (event, context, callback) => callback(null, 1) || 2;", 1),
        ("module.exports = (event, callback) => setTimeout(() => callback(null, 3), 5);", 3),
        ("module.exports = (event, callback) => setImmediate(callback, null, 4);", 4),
        ("module.exports = (event, callback) => { callback(null, 1); callback(new Error('2')); };", 1),
        ("module.exports = (event, callback) => { callback(null, 1); throw new Error('2'); };", 1),
        ("module.exports = (...all) => { setTimeout(() => all[2](null, all.length), 5); };", 3),
        (
            "module.exports = (event, context = { ',': 1 }, done = null) => { setTimeout(done, 5, null, 7); };",
            7,
        ),
        ("module.exports = function () { setTimeout(arguments[1], 5, null, 8); };", 8),
        ("module.exports = ({ params }) => { void params; };", None),
        ("module.exports = ({ params: { a, b = (1, 2) } }) => { void [a, b]; };", None),
        ("module.exports = async (event, context) => { void context; };", None),
        ("module.exports = async (event, context, callback) => { void callback; };", None),
        ("module.exports = async (event, context, callback) => { setTimeout(callback, 5, null, 2); };", 2),
        ("module.exports = (event, context) => ({ then: (resolve) => resolve(context.user) });", "ada"),
        ("module.exports = async (event, context) => { await null; context.succeed(6); };", 6),
        (
            "module.exports = (event, context) => { context.status(201).headers({ a: 'b' }).succeed([9]); };",
            [9],
        ),
        ("module.exports = (event, context) => { setTimeout(() => context.status(200).succeed(5), 5); };", 5),
        ("module.exports = { value: 5, handle() { return this.value; } };", 5),
        ("exports.default = { value: 6, handler() { return this.value; } };", 6),
        ("class A { v = 7; handler() { return this.v; } } export default new A();", 7),
        (
            "class A { v = 8; run() { return this.v; } } const a = new A(); export const handler = a.run.bind(a);",
            8,
        ),
        ("module.exports = class { static v = 9; static handler() { return this.v; } };", 9),
        ("exports.handler = function () { return this === exports; };", True),
        ("module.exports = module.exports.default = () => 1;", 1),
    ],
)
def test_a_handler_is_called_as_it_wants(nodejs: Server, script: str, expected: object) -> None:
    assert [nodejs.result(script), nodejs.result(script)] == [expected, expected]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("module.exports = (event, context) => { context.fail(new Error('no')); };", "no"),
        ("module.exports = (event, context) => { context.status(500).fail('text'); };", "text"),
        (
            "module.exports = (event, context) => { context.fail(); };",
            "the script called fail without an error",
        ),
        ("module.exports = (event, context, callback) => { setTimeout(callback, 5, 'text'); };", "text"),
        ("module.exports = (event, context) => { throw new Error('thrown'); };", "thrown"),
        ("module.exports = function* () { yield 1; throw new Error('inside'); };", "inside"),
    ],
)
def test_a_handler_fails_as_it_wants(nodejs: Server, script: str, message: str) -> None:
    assert nodejs.failure(script)["message"] == message


def test_a_callback_that_cannot_be_called_any_more_is_an_error_and_not_awaited(nodejs: Server) -> None:
    failure = nodejs.failure("module.exports = (event, context) => { console.log(context.user); };")
    assert failure["message"].startswith("the handler returned nothing and never called its callback")
    assert (failure["kind"], failure["stdout"]) == ("exception", "ada\n")


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        ("(event, callback) => { setInterval(() => {}, 1000); }", True),
        ("(event) => new Promise(() => setInterval(() => {}, 1000))", False),
    ],
)
def test_a_timeout_tells_of_a_callback_that_was_awaited(nodejs: Server, handler: str, told: bool) -> None:
    failure = nodejs.failure(f"module.exports = {handler};", "TIMEOUT", timeout_ms=2000)
    assert failure["message"].startswith("the script ran longer than 2000 ms")
    assert ("its callback was awaited" in failure["message"]) is told


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "import { fileURLToPath } from 'node:url';\nexport default () => [\n"
            "  fileURLToPath(import.meta.url) === import.meta.filename,\n"
            "  import.meta.filename === `${import.meta.dirname}/script.js`,\n"
            "  import.meta.resolve('./a.js') === new URL('a.js', import.meta.url).href,\n"
            "  import.meta.resolve('fs')];",
            [True, True, True, "node:fs"],
        ),
        (
            "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\n"
            "export default () => require('path').sep;",
            "/",
        ),
        (
            "import { writeFileSync } from 'node:fs';\nwriteFileSync('data.json', '[1]');\n"
            "writeFileSync('other.mjs', 'export const two = 2;');\n"
            "const { default: data } = await import('./data.json', { with: { type: 'json' } });\n"
            "const { two } = await import(new URL('other.mjs', import.meta.url));\n"
            "export default () => [data, two];",
            [[1], 2],
        ),
        ("export default async () => (await import('data:text/javascript,export default 4')).default;", 4),
        (
            "const fs = require('fs');\nfs.writeFileSync('other.js', 'exports.two = 2;');\n"
            "const found = require.resolve('./other') === `${__dirname}/other.js`;\n"
            "module.exports = () => [require('./other').two, found, module.require('./other').two,\n"
            "  process.argv[1] === __filename, process.argv.length, process.execArgv];",
            [2, True, 2, True, 2, []],
        ),
        ("let ran = false; if (require.main === module) ran = true; exports.handler = () => ran;", False),
        ("return require.main === module && require.main.filename === __filename;", True),
        ("exports.handler = () => require.main.filename === __filename;", True),
        (
            "\ufeff#!/usr/bin/env node\r\n'use strict';\r\nreturn (function () { return this === undefined; })();",
            True,
        ),
    ],
)
def test_a_module_finds_itself_and_others(nodejs: Server, script: str, expected: object) -> None:
    assert nodejs.result(script) == expected


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        ("unhandledRejection", "Promise.reject(new Error('x'));"),
        ("uncaughtException", "setTimeout(() => { throw new Error('x'); });"),
        ("uncaughtException", "Promise.reject(new Error('x'));"),
        ("uncaughtException", "process.nextTick(() => { throw new Error('x'); });"),
    ],
)
def test_a_listener_of_the_script_deals_with_a_failure(nodejs: Server, event: str, cause: str) -> None:
    script = (
        f"const seen = [];\nprocess.on('{event}', (error) => seen.push(error.message));\n"
        f"module.exports = async () => {{ {cause}\n"
        "  await new Promise((resolve) => setTimeout(resolve, 20)); return seen; };"
    )
    assert nodejs.result(script) == ["x"]


LATER = "await new Promise((resolve) => setTimeout(resolve, 300)); return 'second';"


@pytest.mark.parametrize(
    "left",
    [
        "setTimeout(() => { throw new Error('late'); }, 100);",
        "setTimeout(async () => { throw new Error('late'); }, 100);",
        "setInterval(() => { Promise.reject(new Error('late')); }, 50);",
        "Promise.reject(new Error('late'));",
        "require('fs').promises.readFile('none').catch(() => setTimeout(() => { throw new Error('late'); }, 100));",
        "process.on('unhandledRejection', () => {}); process.on('uncaughtException', () => {});",
        "process.removeAllListeners('uncaughtException');",
        "Buffer.byteLength = Buffer.prototype.toString = () => { throw new Error('broken'); };",
        "Object.prototype.id = 99;",
    ],
)
def test_what_a_run_leaves_does_not_change_the_next_one(nodejs: Server, left: str) -> None:
    script = f"module.exports = async ({{ params }}) => {{ if (params.n > 1) {{ {LATER} }} {left} return 'first'; }};"
    nodejs.fresh(script, {"n": 1})
    answers: list[Any] = [nodejs.result(script, {"n": n}) for n in (2, 3)]
    assert answers == ["second", "second"]


@pytest.mark.parametrize(
    ("opening", "kept"),
    [
        ("process.on('unhandledRejection', () => {});", True),
        ("globalThis.cache = new Map(); Array.prototype.last = function () { return this.at(-1); };", True),
    ],
)
def test_what_the_top_level_sets_up_stays(nodejs: Server, opening: str, kept: bool) -> None:
    script = f"{opening} let runs = 0; module.exports = () => ++runs;"
    assert [nodejs.result(script), nodejs.result(script) == 2] == [1, kept]


def test_a_listener_of_a_run_ends_with_its_worker(nodejs: Server) -> None:
    script = (
        "let runs = 0; module.exports = async ({ params }) => {\n"
        "  if (params.first) process.on('unhandledRejection', () => {});\n"
        "  else { Promise.reject(new Error('mine')); await new Promise((resolve) => setTimeout(resolve, 1000)); }\n"
        "  return ++runs;\n};"
    )
    assert [nodejs.result(script, {"first": True}), nodejs.result(script, {"first": True})] == [1, 1]
    assert nodejs.failure(script)["message"] == "mine"
