"""A script is the root of a crate, as on a developer's machine: what compiles there compiles here."""

import pytest

from tests.integration.runtime.rust.conftest import HEAD, SIGNATURE, Choice, RustRuntime, script

ONE = script("    let _ = context; Ok(json!(1))")
HANDLER = SIGNATURE + "{ let _ = context; Ok(json!(1)) }\n"

FORMS = {
    "modules, macros, generics, statics, tests and main": HEAD + """pub struct P(i32);
mod m { use crate::P; pub fn one(p: P) -> i32 { p.0 } }
mod s { use super::*; pub fn value() -> Value { json!(one()) } }
mod a { pub mod b { pub fn one() -> i32 { super::super::c::ONE } } }
mod c { pub(crate) const ONE: i32 = 1; }
pub fn one() -> i32 { 1 }
macro_rules! one { () => { $crate::c::ONE } }
#[macro_export] macro_rules! exported { () => { $crate::one() } }
trait One { fn one(&self) -> i64; }
impl<T: Into<i64> + Copy> One for T { fn one(&self) -> i64 { (*self).into() } }
static N: [i32; 1] = [1];
#[cfg(test)] mod tests { use super::*; #[test] fn one() { nothing() } }
#[test] fn at_the_top() { nothing() }
fn main() { println!("{:?}", handler(Map::new())); }
""" + SIGNATURE + """{
    let _ = context;
    let raw = r##"a "# b"##.len() - 5;
    let all = [m::one(P(1)), a::b::one(), one!(), crate::exported!(), N[0].one() as i32, raw as i32];
    Ok(if all == [1; 6] { s::value() } else { json!(all) })
}""",
    "inner attributes": "#![allow(dead_code)]\n#![deny(warnings, missing_docs)]\n#![forbid(unsafe_code)]\n"
    "//! A script.\n" + HEAD + "fn unused() {}\n/// One.\n" + HANDLER,
    "macros of a crate": "#[macro_use]\nextern crate serde_json;\nuse serde_json::{Map, Value};\n" + HANDLER,
    "handler of a module": HEAD + "mod m { use super::*; " + HANDLER + "}\npub use m::handler;",
    "private handler and other names": "use serde_json as j;\ntype V = j::Value;\n"
    "type Outcome<T> = std::result::Result<T, String>;\n"
    "fn handler(c: j::Map<std::string::String, V>) -> Outcome<V> { let _ = c; Ok(j::json!(1)) }",
    "generic handler": HEAD + SIGNATURE.replace("context: Map<String, Value>", "context: impl Sized")
    + "{ let _ = context; Ok(json!(1)) }",
    "byte order mark and shebang": "\ufeff#!/usr/bin/env rust-script\n" + ONE,
    "name of our crate, and a comment without an end of line": ONE + "mod lambda_glue {}\n// the end",
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
STACKS = Choice({str(size): PRIMES % size for size in (7_000_000, 9_000_000, 64_000_000)})


@pytest.mark.parametrize("level", ["debug", "release"])
def test_a_script_has_the_stack_of_a_native_program(level: str, rust: RustRuntime) -> None:
    params, options = {"case": "7000000", "size": 7_000_000}, {"optimization_level": level}
    answer = rust.prepared(STACKS.script, params, compile_options=options)
    assert answer.json["result"] == 3_500_000


def test_calls_may_be_nested_as_deeply_as_natively(rust: RustRuntime) -> None:
    deep = """
fn depth(list: &[u8], from: usize) -> u64 {
    if from == list.len() { 0 } else { depth(list, from + 1) + u64::from(list[from]) + from as u64 % 2 }
}
""" + script("    let list = vec![1; 60_000 + context.len() - 2]; Ok(json!(depth(&list, 0)))")
    answer = rust.prepared(deep, compile_options={"optimization_level": "debug"})
    assert answer.json["result"] == 90_000


@pytest.mark.parametrize("size", ["9000000", "64000000"])
def test_a_stack_overflow_is_told_as_such(size: str, rust: RustRuntime) -> None:
    details = rust.prepared(STACKS.script, {"case": size, "size": 100}).json["error"]["details"]
    assert (details["kind"], details["type"]) == ("exception", "trap: stack overflow")


def test_the_stack_counts_as_memory_of_the_instance(rust: RustRuntime) -> None:
    filling = script("""    let block = vec![1u8; (context["params"]["mib"].as_u64().unwrap_or(0) << 20) as usize];
    Ok(json!(block.iter().map(|byte| u64::from(*byte)).sum::<u64>()))""")
    assert rust.prepared(filling, {"mib": 240}).json["result"] == 240 << 20
    assert rust.prepared(filling, {"mib": 250}).json["error"]["details"]["kind"] == "memory_limit"
