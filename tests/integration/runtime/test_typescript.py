"""TypeScript: types are stripped and not checked; every form of script runs, and lines and columns stay true."""

from typing import Any

import pytest

from tests.integration.runtime.served import ServedRuntime, document

FORMS = {
    "module": "export default ({ params }: { params: { a: number; b: number } }): number => params.a + params.b!;",
    "import": "import { sep, type ParsedPath } from 'node:path';\nimport type { A } from './a.ts';\n"
    "export default (e: any) => e.params.a + 1 + sep.length;",
    "CommonJS": "interface E { params: Record<string, number> }\nmodule.exports = async (e: E) => e.params.a + 2;",
    "body": "const { a, b } = event.params as { a: number; b: number };\nreturn a + b;",
    "class": "abstract class Base<T> { abstract get(): T; }\n"
    "class Own extends Base<number> {\n  private readonly n: number;\n  declare z: string;\n"
    "  constructor(n: number) { super(); this.n = n; }\n  override get(): number { return this.n; }\n"
    "  handler(this: Own, e: any) { return this.get() + (e.params.a satisfies number); }\n}\n"
    "module.exports = new Own(2);",
    "types only": "declare enum D { X }\nnamespace N { export type A = number }\ndeclare module 'x';\n"
    "export type { N };\nexport default (e: any): N.A => 3;",
    "hash bang": "#!/usr/bin/env node\nreturn 3 as number;",
}


def refused(runtime: ServedRuntime, script: str) -> tuple[Any, dict[str, Any]]:
    answer = runtime.prepare(script)
    error = document(answer)["error"]
    assert (answer.status_code, error["code"]) == (400, "INITIALIZATION_ERROR"), answer.json
    details = error["details"]
    place = {"line": details["line"], "column": details["column"]}
    assert details["diagnostics"] == [{"message": error["message"], **place}]
    return (details["line"], details["column"]), error


@pytest.mark.parametrize("form", FORMS)
def test_each_form_runs(typescript: ServedRuntime, form: str) -> None:
    script = FORMS[form]
    assert document(typescript.prepare(script)) == {"artifact_cached": False}
    first = document(typescript.run(script, {"a": 1, "b": 2}, script_content=None))
    assert (first["result"], first["cold"]) == (3, False)


def test_a_script_that_was_not_prepared_runs(typescript: ServedRuntime) -> None:
    script = "return (event.params.a as number) + 40;"
    assert document(typescript.run(script, script_content=None))["error"]["code"] == "SCRIPT_NEEDED"
    for isolation in ("session", "execution"):
        assert typescript.result(script, {"a": 2}, isolation=isolation) == 42


def test_the_same_text_is_another_script_in_javascript(
    typescript: ServedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "const f = (x) => x, number = 5, a = f<number>(2); return a;"
    assert typescript.result(script) == 2
    monkeypatch.setattr(typescript, "dialect", "nodejs")
    assert typescript.result(script) is False  # a comparison of a comparison


@pytest.mark.parametrize(
    ("script", "line", "column"),
    [
        ("type A = {\n  b: string;\n};\nconst x: A = null!; throw new RangeError('no');", 4, 27),
        ("const s: '日本😀' = '日本😀' as any; throw new RangeError('no');", 1, 40),
        (
            "export default (e: any): void => {\n  const n = <T,>(x: T) => x;\n\n    throw new RangeError();\n}",
            4,
            11,
        ),
        ("interface I {}\n\tthrow new RangeError('no');", 2, 8),
    ],
)
def test_errors_of_a_run_have_their_place_in_the_source(
    typescript: ServedRuntime, script: str, line: int, column: int
) -> None:
    details = typescript.failure(script)
    assert (details["type"], details["line"], details["column"]) == ("RangeError", line, column)


@pytest.mark.parametrize(
    ("script", "place", "hint"),
    [
        ("export default () => 1;\n  enum A { B }\n", (2, 3), "an object"),
        ("\tnamespace N { export const a = 1 }", (1, 2), "namespace"),
        ("class A {\n  constructor(private x: number) {}\n}\nreturn 1;", (2, 23), "in the constructor"),
        ("const é = '日本'; class A { constructor(public x: number) {} }", (1, 46), "in the constructor"),
        ("import fs = require('fs');\nmodule.exports = 1;", (1, 1), "require"),
        ("const x = <number>event.params.a;\nreturn x;", (1, 11), "in JavaScript"),
    ],
)
def test_what_is_more_than_types_is_refused_with_a_hint(
    typescript: ServedRuntime, script: str, place: tuple[int, int], hint: str
) -> None:
    found, error = refused(typescript, script)
    assert found == place
    assert hint in error["details"]["hint"]


@pytest.mark.parametrize(
    ("script", "place"),
    [
        ("export default (e: any) => {\n  return 1 +* 2;\n};\n", (2, 13)),
        ("const a: = 1;\nreturn a;\n", (1, 10)),
        ("export default (e: any) => {\n  if (e) {\n", (3, 1)),
        ("if (event) {\n  return 1 as number;", (2, 22)),
        ("return 1;\nexport default (e: any) => 1;", (2, 1)),
    ],
)
def test_errors_of_syntax_have_their_place(
    typescript: ServedRuntime, script: str, place: tuple[int, int]
) -> None:
    found, error = refused(typescript, script)
    assert found == place, error
    assert "hint" not in error["details"]


def test_types_are_not_checked(typescript: ServedRuntime) -> None:
    assert typescript.result("const n: number = 'text' as never;\nreturn n;") == "text"


def test_a_language_that_is_no_dialect_is_not_served(
    typescript: ServedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typescript, "dialect", "python")
    assert typescript.prepare("return 1").status_code == 404
    answer = typescript.run("return 1")
    assert answer.status_code == 404
    assert "/runtime/nodejs/<title> and /runtime/typescript/<title>" in document(answer)["error"]["message"]
