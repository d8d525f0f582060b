"""Node.js: each result is JSON as the script means it, or `result_not_json` with the place of what JSON lacks."""

from typing import Any

import pytest

from tests.integration.runtime.interpreted.served import Server


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("return function* () { yield 1; yield { a: 2 }; }();", [1, {"a": 2}]),
        ("return async function* () { yield 1; await null; yield 2; }();", [1, 2]),
        ("module.exports = function* ({ params }) { yield* Object.keys(params); };", ["n"]),
        ("export default async function* handler() { for (const x of 'ab') yield x; }", ["a", "b"]),
        ("return new Map([['k', 1]]).keys();", ["k"]),
        ("return function* () {}();", []),
        ("return [2n ** 64n, -(10n ** 40n), { n: 0n }, Object(7n)];", [2**64, -(10**40), {"n": 0}, 7]),
        ("BigInt.prototype.toJSON = function () { return `${this}`; }; return [5n];", ["5"]),
        ("return [new Number(4), new String('x'), new Boolean(false)];", [4, "x", False]),
        ("return [, undefined, 1];", [None, None, 1]),
        (
            "return { a: undefined, when: new Date(0), url: new URL('http://a/b') };",
            {"when": "1970-01-01T00:00:00.000Z", "url": "http://a/b"},
        ),
        ("return { kept: { toJSON: () => new Map([[1, 2]]).size } };", {"kept": 1}),
        ("class Failed extends Error { toJSON() { return this.message; } } return [new Failed('x')];", ["x"]),
        ("class Point { x = 1; #hidden = 2; } return new Point();", {"x": 1}),
        ("return Object.assign(Object.create(null), { a: 1 });", {"a": 1}),
        ("return require('vm').runInNewContext('({ a: [] })');", {"a": []}),
        (
            'return JSON.parse(\'{"__proto__": 1, "constructor": 2, "": 3}\');',
            {"__proto__": 1, "constructor": 2, "": 3},
        ),
        ("return [-0, 1e21, 'é\\u2028'];", [0, 1e21, "é\u2028"]),
        ("let a = 1; for (let i = 0; i < 199; i++) a = [a]; return JSON.stringify(a).length;", 399),
        ("module.exports = async (event, context) => context;", {"user": "ada"}),
    ],
)
def test_a_result_is_what_the_script_means(nodejs: Server, script: str, expected: object) -> None:
    assert nodejs.result(script, {"n": 1}) == expected


#: Values and what is said of them; one script returns the one that its params name.
NO_JSON = [
    ("new TypeError('no')", "the result holds a TypeError (no) as a whole"),
    (
        "await Promise.allSettled([Promise.reject(new Error('x'))])",
        "the result holds an Error (x) at /0/reason",
    ),
    ("{ e: new DOMException('gone') }", "the result holds a DOMException (gone) at /e"),
    ("{ list: [1, function* () {}()] }", "the result holds a Generator at /list/1"),
    ("[async function* () {}()]", "the result holds an AsyncGenerator at /0"),
    ("[Promise.resolve(1)]", "the result holds a Promise at /0"),
    ("{ m: Object.assign(new Map(), { a: 1 }) }", "the result holds a Map at /m"),
    ("[new Set()]", "the result holds a Set at /0"),
    ("[new WeakMap()]", "the result holds a WeakMap at /0"),
    ("[/x/]", "the result holds a RegExp at /0"),
    ("[new URLSearchParams('a=1')]", "the result holds a URLSearchParams at /0"),
    ("[new Float64Array(2)]", "the result holds a Float64Array at /0"),
    ("[new ArrayBuffer(2)]", "the result holds an ArrayBuffer at /0"),
    ("[new Date('never')]", "the result holds an invalid Date at /0"),
    ("{ a: Symbol('s') }", "the result holds a symbol at /a"),
    ("{ 'a/b~c': () => 1 }", "the result holds a function at /a~1b~0c"),
    ("[new Number(NaN)]", "the result holds NaN at /0"),
    ("{ toJSON: () => [Infinity] }", "the result holds Infinity at /0"),
    ("new (class Secret { #x = 1; })()", "the result holds a Secret as a whole"),
    ("{ a: { get b() { throw new Error('no'); } } }", "the result cannot be written as JSON at /a/b: no"),
    ("[{ toJSON() { throw 'text'; } }]", "the result cannot be written as JSON at /0: text"),
    ("(() => { const a = { b: [1n] }; a.b.push(a); return a; })()", "the result contains itself at /b/1"),
]
RETURNING = "".join(f"case {n}: return ({value});\n" for n, (value, _) in enumerate(NO_JSON))


@pytest.mark.parametrize("number", range(len(NO_JSON)))
def test_what_json_lacks_is_refused_with_its_place(nodejs: Server, number: int) -> None:
    script = f"module.exports = async ({{ params }}) => {{ switch (params.n) {{\n{RETURNING}}} }};"
    failure = nodejs.failure(script, params={"n": number})
    assert (failure["message"], failure["kind"]) == (NO_JSON[number][1], "result_not_json")


@pytest.mark.parametrize(
    ("bottom", "message"),
    [
        ("NaN", "the result holds NaN at /300000{}/0"),
        ("new Map()", "the result holds a Map at /300000{}/0"),
        ("new Error('x')", "the result holds an Error (x) at /300000{}/0"),
    ],
)
def test_the_place_is_found_among_many_siblings_and_levels(nodejs: Server, bottom: str, message: str) -> None:
    script = (
        f"let deep = [{bottom}];\nfor (let level = 0; level < 100; level++) deep = {{ deep }};\n"
        "return [...Array.from({ length: 300000 }, (_, id) => id), deep];"
    )
    assert nodejs.failure(script)["message"] == message.format("/deep" * 100)


def test_many_siblings_with_a_bigint_among_them_come_back(nodejs: Server) -> None:
    result = nodejs.result("return [...Array.from({ length: 300000 }, (_, id) => id), { id: 2n ** 70n }];")
    assert (len(result), result[299_999], result[300_000]) == (300_001, 299_999, {"id": 2**70})


@pytest.mark.parametrize(
    "script",
    [
        "return function* () { for (;;) yield 1; }();",
        "let a = {}; for (let level = 0; level < 100; level++) a = [a, a]; return a;",
        "const text = 'x'.repeat(1e6); return Array(10).fill(text);",
    ],
)
def test_a_result_that_grows_beyond_its_limit_is_refused(nodejs: Server, script: str) -> None:
    assert nodejs.failure(script)["kind"] == "output_limit"


@pytest.mark.parametrize(
    "opening", ["'use bigint';", '#!/usr/bin/env node\n// ids\n"use strict"; "use bigint"\n']
)
def test_integers_come_as_bigint_where_the_script_asks_for_it(nodejs: Server, opening: str) -> None:
    params: dict[str, Any] = {
        "id": 8202522731445525542,
        "list": [-(2**53), 2**53 - 1, 5, 1.5, 1e300, 2**200],
        "9007199254740993": 's"9007199254740993\\',
        "text": 'i12345678901234567890 : "',
    }
    types = "Object.values(event.params.list).map((value) => typeof value)"
    result = nodejs.result(f"{opening} return [event.params, {types}, event.params.id + 1n];", params)
    assert result[0] == params
    assert result[1] == ["bigint", "number", "number", "number", "number", "bigint"]
    assert result[2] == params["id"] + 1


@pytest.mark.parametrize("opening", ["", "const mode = 'use bigint';", "// 'use bigint'\n", "`use bigint`;"])
def test_integers_are_numbers_where_the_script_does_not_ask(nodejs: Server, opening: str) -> None:
    assert nodejs.result(f"{opening} return typeof event.params.id;", {"id": 2**60}) == "number"


def test_a_long_text_among_exact_integers_is_read(nodejs: Server) -> None:
    params = {"id": 2**60, "text": '\\"' * 500_000}
    assert nodejs.result("'use bigint'; return event.params;", params) == params
