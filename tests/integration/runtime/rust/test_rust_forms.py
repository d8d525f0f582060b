"""A script is the root of a crate, as on a developer's machine: what compiles there compiles here."""

import pytest

from tests.integration.runtime.rust.served import HEAD, SIGNATURE, RustRuntime, script

ONE = script("    let _ = context; Ok(json!(1))")
HANDLER = SIGNATURE + "{ let _ = context; Ok(json!(1)) }\n"

FORMS = {
    "path from crate": HEAD + "pub struct P(i32);\nmod m { use crate::P; pub fn one(p: P) -> i32 { p.0 } }\n"
    + SIGNATURE + "{ let _ = context; Ok(json!(crate::m::one(P(1)))) }",
    "super": HEAD + "fn one() -> i32 { 1 }\nmod m { use super::*; pub fn value() -> Value { json!(one()) } }\n"
    + SIGNATURE + "{ let _ = context; Ok(m::value()) }",
    "nested modules": HEAD + "mod a { pub mod b { pub fn one() -> i32 { super::super::c::ONE } } }\n"
    "mod c { pub(crate) const ONE: i32 = 1; }\n" + SIGNATURE + "{ let _ = context; Ok(json!(a::b::one())) }",
    "inner attributes": "#![allow(dead_code)]\n#![deny(warnings)]\n//! A script.\n"
    + HEAD + "fn unused() {}\n" + HANDLER,
    "no unsafe code": "#![forbid(unsafe_code)]\n" + ONE,
    "no missing documentation": "#![deny(missing_docs)]\n//! A script.\n" + HEAD + "/// One.\n" + HANDLER,
    "tests": ONE + "#[cfg(test)]\nmod tests {\n use super::*;\n #[test]\n fn one() { nothing() }\n}",
    "test at the top": ONE + "#[test]\nfn one() { nothing() }",
    "main": ONE + 'fn main() { println!("{:?}", handler(Map::new())); }',
    "macro": HEAD + "macro_rules! one { () => { $crate::ONE } }\nconst ONE: i32 = 1;\n"
    + SIGNATURE + "{ let _ = context; Ok(json!(one!())) }",
    "exported macro": HEAD + "#[macro_export]\nmacro_rules! one { () => { $crate::one() } }\n"
    "pub fn one() -> i32 { 1 }\n"
    + SIGNATURE + "{ let _ = context; Ok(json!(crate::one!())) }",
    "macros of a crate": "#[macro_use]\nextern crate serde_json;\nuse serde_json::{Map, Value};\n" + HANDLER,
    "generics and statics": HEAD + "trait One { fn one(&self) -> i64; }\n"
    "impl<T: Into<i64> + Copy> One for T { fn one(&self) -> i64 { (*self).into() } }\nstatic N: [i32; 1] = [1];\n"
    + SIGNATURE + "{ let _ = context; Ok(json!(N[0].one())) }",
    "raw string": script('    let _ = context; Ok(json!(r##"a "# b"##.len() - 5))'),
    "private handler": HEAD + HANDLER.removeprefix("pub "),
    "handler of the crate": HEAD + HANDLER.replace("pub fn", "pub(crate) fn"),
    "handler of a module": HEAD + "mod m { use super::*; " + HANDLER + "}\npub use m::handler;",
    "other names": "use serde_json as j;\ntype V = j::Value;\ntype Outcome<T> = std::result::Result<T, String>;\n"
    "fn handler(c: j::Map<std::string::String, V>) -> Outcome<V> { let _ = c; Ok(j::json!(1)) }",
    "generic handler": HEAD + SIGNATURE.replace("context: Map<String, Value>", "context: impl Sized")
    + "{ let _ = context; Ok(json!(1)) }",
    "byte order mark and CRLF": "\ufeff" + ONE.replace("\n", "\r\n"),
    "shebang": "#!/usr/bin/env rust-script\n" + ONE,
    "byte order mark and shebang": "\ufeff#!/usr/bin/env rust-script\n" + ONE,
    "comment without an end of line": ONE + "// the end",
    "name of our crate": ONE + "mod lambda_glue {}",
}  # fmt: skip


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_a_form_of_a_developers_machine_runs(content: str, rust: RustRuntime) -> None:
    answer = rust.prepared(content)
    assert answer.status == 200, answer.json
    assert answer.json["result"] == 1


@pytest.mark.parametrize(
    ("content", "words", "hint"),
    [
        ("#![feature(box_patterns)]\n" + ONE, "the feature `box_patterns`", "a stable Rust"),
        ("#![feature(test)]\n#![allow(dead_code)]\n" + ONE, "the feature `test`", "a stable Rust"),
        (ONE + "mod other;", "file not found for module `other`", "A script is one file"),
        (ONE + "#[cfg(never)]", "hides its handler", ""),
        (ONE + "/* open", "unterminated block comment", ""),
    ],
)
def test_what_does_not_run_here_is_said(content: str, words: str, hint: str, rust: RustRuntime) -> None:
    answer = rust.prepare(content)
    assert answer.status == 400
    assert words in answer.json["error"]["message"]
    assert hint in answer.json["error"]["details"].get("hint", "")


PRIMES = """    let size = context["params"]["size"].as_u64().ok_or("no size")? as usize;
    let mut seen = [false; %d];
    for place in 0..size { seen[place] = place %% 2 == 0; }
    Ok(json!(seen.iter().filter(|seen| **seen).count()))"""


@pytest.mark.parametrize("level", ["debug", "release"])
def test_a_script_has_the_stack_of_a_native_program(level: str, rust: RustRuntime) -> None:
    options = {"optimization_level": level}
    answer = rust.prepared(script(PRIMES % 7_000_000), {"size": 7_000_000}, compile_options=options)
    assert answer.json["result"] == 3_500_000


def test_calls_may_be_nested_as_deeply_as_natively(rust: RustRuntime) -> None:
    deep = """
fn depth(list: &[u8], from: usize) -> u64 {
    if from == list.len() { 0 } else { depth(list, from + 1) + u64::from(list[from]) + from as u64 % 2 }
}
""" + script("    let list = vec![1; 60_000 + context.len() - 2]; Ok(json!(depth(&list, 0)))")
    answer = rust.prepared(deep, compile_options={"optimization_level": "debug"})
    assert answer.json["result"] == 90_000


@pytest.mark.parametrize("size", [9_000_000, 64_000_000])
def test_a_stack_overflow_is_told_as_such(size: int, rust: RustRuntime) -> None:
    details = rust.prepared(script(PRIMES % size), {"size": 100}).json["error"]["details"]
    assert (details["kind"], details["type"]) == ("exception", "trap: stack overflow")


def test_the_stack_counts_as_memory_of_the_instance(rust: RustRuntime) -> None:
    filling = script("""    let block = vec![context.len() as u8; 240 << 20];
    Ok(json!(block.iter().map(|byte| u64::from(*byte)).sum::<u64>()))""")
    assert rust.prepared(filling).json["result"] == 2 * (240 << 20)
    details = rust.prepared(filling.replace("240", "250")).json["error"]["details"]
    assert details["kind"] == "memory_limit"


@pytest.mark.parametrize(
    ("body", "message", "place"),
    [
        ("    let text = context.len().to_string();\n    Ok(json!((text + \"x\").parse::<i32>().unwrap()))",
         "InvalidDigit", (5, 42)),
        ("    let all: Vec<usize> = Vec::new();\n    Ok(json!(all.iter().max().expect(\"largest\") + context.len()))",
         "largest", (5, 31)),
        ('    Ok(json!(context["nothing"]))', "no entry found for key", (4, 14)),
        ("    assert_eq!(context.len(), 3, \"three {}\", \"keys\");\n    unreachable!()", "three keys", (4, 5)),
        ("    /* größe */ let _ = u32::try_from(context.len() as i64 - 3).unwrap();\n    Ok(json!(1))",
         "TryFromIntError", (4, 65)),
        ("    let cell = std::cell::RefCell::new(context);\n    let _one = cell.borrow_mut();\n"
         "    let two = cell.borrow();\n    Ok(json!(two.len()))", "already mutably borrowed", (6, 20)),
    ],
)  # fmt: skip
def test_a_panic_has_its_place(body: str, message: str, place: tuple[int, int], rust: RustRuntime) -> None:
    error = rust.prepared(script(body)).json["error"]
    assert message in error["message"]
    assert (error["details"]["line"], error["details"]["column"]) == place
