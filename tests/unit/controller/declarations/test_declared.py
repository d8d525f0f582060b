"""What scripts and the field `packages` declare."""

from contextlib import suppress
from time import perf_counter

import pytest

from controller.declarations.declared import PACKAGES_MAX, Declared, of_field, of_script
from controller.errors import InitializationFailed, InvalidRequest

#: Characters of a long script, and seconds for it on a busy machine. More than linear time would take minutes.
LONG, LINEAR = 1 << 17, 30.0
REQUESTS = "requests[socks]; python_version > '3'"


def nothing() -> None:
    """There is nothing else to do."""


def declared(language: str, script: str) -> Declared | None:
    return of_script(language, script, nothing)


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (
            '# x\n# /// script\n# requires-python = ">=3.11"\n# dependencies = [\n#   "Pandas >=2, <3",\n'
            f'#   "{REQUESTS}",\n#\n# ]\n# [tool.uv]\n# index = "http://evil"\n# ///\nimport pandas\n',
            Declared(("pandas<3,>=2", 'requests[socks]; python_version > "3"'), ">=3.11"),
        ),
        ("# /// script\r\n#\r\n# dependencies = ['a']\r\n# ///\r\n", Declared(("a",))),
        ("# /// script\n# dependencies = []\n# ///\n", Declared(())),
        ("# /// script\n# x = 1\n# ///\n# y\n", Declared(())),
        ("# /// script\n# x = '''\n# ///\n# '''\n# ///", Declared(())),
        ("# /// other\n# /// script\n# ///\n", None),
        (" # /// script\n # ///\n", None),
        ("x = '# /// script'", None),
        ("import pandas", None),
    ],
)
def test_a_block_of_pep_723_is_read(script: str, found: Declared | None) -> None:
    assert declared("python", script) == found


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ('import { z } from "npm:zod@^3"', ["zod@^3"]),
        ("export * from 'npm:@a/b@1.2.x/sub/path.js'", ["@a/b@1.2.x"]),
        ('import a, * as b from "npm:c" with { type: "json" }', ["c"]),
        ('import { "a b" as c, type D } from "npm:e"', ["e"]),
        ('export { a as "b" } from "npm:f"', ["f"]),
        ('import "npm:a/b"; import("npm:d@latest").then(x)', ["a", "d@latest"]),
        ("const a = {...require('npm:e@>=1 <2 || ^3')}", ["e@>=1 <2 || ^3"]),
        ('import a from "npm:zod@3"; import b from "npm:zod/x"', ["zod@3"]),
        ('import type from "npm:v"; import type, { x } from "npm:w"', ["v", "w"]),
        ('`${ `${ require("npm:in") }` } require("npm:out")`; require("npm:y")', ["in", "y"]),
        ("a = b / c; require('npm:k') / 2; x = y++ / require('npm:l')", ["k", "l"]),
        ("if (a) /[\"'/]`/.test(b); require('npm:m'); return /'/; require('npm:n')", ["m", "n"]),
        ("} /'/.test(x); require('npm:o')", ["o"]),
        ('import type { X } from "npm:t"; import type Y from "npm:t"; export type * from "npm:t"', None),
        (
            '// import "npm:x"\n/* require("npm:x") */ a = "import \\"npm:x\\""; /import "npm:x"/.test(1)',
            None,
        ),
        ('x.require("npm:x"); x.import("npm:x"); require("npm:x" + y); require(`npm:x`)', None),
        ('export const from = 1; "npm:x"; export { y }\nArray.from("npm:x")', None),
        ("require('zod'); const s = 'npm:x'", None),
        ("#!/usr/bin/env npm:' node", None),
    ],
)
def test_npm_specifiers_are_found(script: str, found: list[str] | None) -> None:
    assert declared("nodejs", script) == (None if found is None else Declared(tuple(found)))


@pytest.mark.parametrize(
    ("script", "found"),
    [("#!/x\n---\n[dependencies]\n---\nfn x() {}", Declared(())), ("fn x() {}\n---\n", None)],
)
def test_a_front_matter_is_read(script: str, found: Declared | None) -> None:
    assert declared("rust", script) == found


@pytest.mark.parametrize(
    ("language", "script", "message", "line", "column"),
    [
        ("python", "# /// script\n# a = [}\n# ///\n", "not TOML", 2, 8),
        ("python", "\n# /// script\n# dependencies = []\n", "no end", 2, 1),
        ("python", "# /// script\n# x=1\n# ///\n\n# /// script\n# x=1\n# ///", "one block", 5, 1),
        ("python", "# /// script\n# dependencies = 'a'\n# ///", "list of texts", 1, 1),
        ("python", "# /// script\n# dependencies = [\n# 'a @ https://x']\n# ///", "no URL", 3, 4),
        ("python", "# /// script\n# dependencies = ['--index-url x']\n# ///", "name", 2, 20),
        ("python", "# /// script\n# requires-python = 'x'\n# ///", "requires-python", 1, 1),
        ("python", f"# /// script\n# x={'[' * 900}\n# ///", "nested", 2, 1),
        ("python", f"# /// script\n# x='{'x' * 1000}'\n# ///", "characters", 2, 1),
        ("nodejs", "x = 1\n  import 'npm:../x'", "registries", 2, 10),
        ("nodejs", "import 'npm:a@git+ssh://x'", "no range", 1, 8),
        ("nodejs", "import 'npm:a@1.0.0-x.tgz'", "no range", 1, 8),
        ("nodejs", "import 'npm:\\u0061'", "specifier", 1, 8),
        ("nodejs", "import 'npm:a@1'\nimport 'npm:a@2'", "two ranges", 2, 8),
        ("nodejs", "".join(f"import 'npm:a{n}'\n" for n in range(PACKAGES_MAX + 1)), "100", 101, 8),
        ("rust", "---\n[dependencies]\nserde = '*'\n---\n", "curated set", 3, 1),
        ("rust", "---\n[dependencies]\nserde = {path = 'x'}\n---\n", "as a text", 2, 1),
        ("rust", "---\n[dependencies]\n", "no end", 1, 4),
    ],
)
def test_a_broken_declaration_is_refused_at_its_place(
    language: str, script: str, message: str, line: int, column: int
) -> None:
    with pytest.raises(InitializationFailed, match=message) as refused:
        declared(language, script)
    details = refused.value.details
    assert (details["stage"], details["line"], details["column"]) == ("resolve", line, column)
    assert details["diagnostics"] == [{"message": refused.value.message, "line": line, "column": column}]


def test_the_fields_packages_are_in_canonical_form() -> None:
    assert of_field("python", ["B_c ==1.*", "a", "b-c==1.*"], "/packages").packages == ("a", "b-c==1.*")
    assert of_field("nodejs", ["zod@^3||^4", "@a/b", "c@1 - 2"], "/packages").packages == (
        "@a/b",
        "c@1 - 2",
        "zod@^3 || ^4",
    )


@pytest.mark.parametrize(
    ("language", "package"),
    [
        *(("python", bad) for bad in ("", "../x", "x.whl @ file:x", "a @ git+https://x", "-r x", "-e .")),
        *(("python", bad) for bad in ("a --hash=sha256:0", "a\n--index-url=x", "a;" + "(" * 400, "é", "a\0")),
        *(("nodejs", bad) for bad in ("npm:a", "user/repo", "--x", "a@..", "a@./x", "a@file:x", "a@npm:b@1")),
        *(("nodejs", bad) for bad in ("a@https://x/y.tgz", "a@x.tgz", "a@", "@a", "node_modules", "a" * 215)),
        ("nodejs", "a@" + "1 " * 300),
        ("rust", "serde"),
        ("cobol", "x"),
    ],
)
@pytest.mark.covers("packages: other sources, options and malformed names 400")
def test_other_sources_options_and_malformed_names_are_refused(language: str, package: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        of_field(language, [package], "/context/packages")
    assert refused.value.details["errors"][0]["pointer"] == "/context/packages/0"


@pytest.mark.parametrize(
    ("language", "start", "unit"),
    [
        *(
            ("nodejs", "'npm:';", unit)
            for unit in ("a ", "/*", "/[", "`${", "'", '"\\', "(", "${", "import(")
        ),
        *(("nodejs", "'npm:';", unit) for unit in ("export {", "import type ", "from'", "/", "\\")),
        *(("python", "", unit) for unit in ("# /// script\n", "# /// a\n", "\n# /// script\n# ")),
        ("python", "# /// script\n", "#\n"),
        *(("rust", "", unit) for unit in ("---\n", "\n", "--- ")),
    ],
)
@pytest.mark.covers("packages: declarations are read in linear time")
def test_hostile_scripts_are_read_in_linear_time(language: str, start: str, unit: str) -> None:
    script = start + unit * (LONG // len(unit)) + "# /// script"
    started = perf_counter()
    with suppress(InitializationFailed):
        declared(language, script)
    assert perf_counter() - started < LINEAR


def test_a_long_scan_pauses() -> None:
    pauses: list[None] = []
    of_script("nodejs", "'npm:';" + "a " * 20_000, lambda: pauses.append(None))
    assert len(pauses) >= 4
