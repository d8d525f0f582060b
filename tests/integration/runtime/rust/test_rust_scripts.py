"""Scripts at run time: results, output, errors, traps."""

import pytest

from tests.integration.runtime.rust.conftest import Choice, RustRuntime, Serve, script

SUM = script("""    let numbers = context["params"]["numbers"].as_array().ok_or("no numbers")?;
    Ok(json!({"sum": numbers.iter().filter_map(Value::as_i64).sum::<i64>(), "user": context["context"]["user"]}))""")


#: The body, the line of it that panics, and the column, which newer compilers may put at the bracket.
PANICS = {
    "boom 7": ('    let _ = context;\n    panic!("boom {}", 7)', 2, {5}),
    "called `Option::unwrap()`": ('    Ok(json!(context["params"]["x"].as_str().unwrap()))', 1, {46}),
    "out of bounds": (
        "    let list = vec![1u8];\n    let one = list[context.len()];\n    Ok(json!(one))",
        2,
        {15, 19},
    ),
    "attempt to divide by zero": ("    Ok(json!(7 / (context.len() - 2)))", 1, {14}),
    "TryFromIntError": (
        "    /* größe */ let _ = u32::try_from(context.len() as i64 - 3).unwrap();\n    Ok(json!(1))",
        1,
        {65},
    ),
    "already mutably borrowed": (
        "    let cell = std::cell::RefCell::new(context);\n    let _one = cell.borrow_mut();\n"
        "    let two = cell.borrow();\n    Ok(json!(two.len()))",
        3,
        {20},
    ),
}
#: How a run ends, by the name of what it does.
ENDINGS = Choice(
    {
        **{message: body for message, (body, *_) in PANICS.items()},
        "output": '    let _ = context; println!("one"); print!("two"); eprint!("three"); Ok(json!(1))',
        "Err": '    let _ = context; Err("not today".into())',
        "out of memory": "    let mut all = vec![context]; loop { all.push(all[0].clone()); }",
        "trap: stack overflow": "    fn deep(below: &[u64; 64]) -> u64 "
        "{ let mut own = *below; own[0] += 1; deep(&own) + own[1] }\n"
        "    Ok(json!(deep(&[context.len() as u64; 64])))",
        "trap: unreachable": "    let _ = context; std::process::abort()",
        "exit": "    let _ = context; std::process::exit(3)",
        "loop": "    let mut n = 0u64;\n"
        '    while context["params"]["loop"] == true { n = n.wrapping_add(1); }\n'
        "    Ok(json!(n))",
    }
)


def test_a_handler_gets_params_and_context_and_gives_a_result(rust: RustRuntime) -> None:
    answer = rust.prepared(SUM, {"numbers": [1, 2, 3]}, context={"user": "ada"})
    assert answer.status == 200, answer.json
    assert answer.json["result"] == {"sum": 6, "user": "ada"}


def test_the_second_run_is_warm_and_finds_no_state_of_the_first(rust: RustRuntime) -> None:
    counting = """
use std::sync::atomic::{AtomicU32, Ordering};
static RUNS: AtomicU32 = AtomicU32::new(0);
""" + script("    let _ = context; Ok(json!(RUNS.fetch_add(1, Ordering::Relaxed)))")
    first, second = rust.prepared(counting), rust.run(counting)
    assert [first.json["result"], second.json["result"]] == [0, 0]
    assert second.json["cold"] is False


def test_output_goes_to_stdout_and_stderr(rust: RustRuntime) -> None:
    answer = rust.prepared(ENDINGS.script, {"case": "output"})
    assert (answer.json["stdout"], answer.json["stderr"]) == ("one\ntwo", "three")


def test_an_err_is_an_exception_without_a_line(rust: RustRuntime) -> None:
    error = rust.prepared(ENDINGS.script, {"case": "Err"}).json["error"]
    assert (error["code"], error["message"]) == ("RUNTIME_ERROR", "not today")
    assert (error["details"]["kind"], error["details"]["type"], error["details"]["line"]) == (
        "exception",
        "Err",
        None,
    )


@pytest.mark.parametrize("message", PANICS)
def test_a_panic_has_its_place_in_the_script(rust: RustRuntime, message: str) -> None:
    error = rust.prepared(ENDINGS.script, {"case": message}).json["error"]
    _, line, columns = PANICS[message]
    assert message in error["message"]
    assert (error["details"]["kind"], error["details"]["type"]) == ("exception", "panic")
    assert error["details"]["line"] == ENDINGS.line(message) + line - 1
    assert error["details"]["column"] in columns


def test_lines_are_the_users_after_a_byte_order_mark_and_with_crlf(rust: RustRuntime) -> None:
    panicking = "\ufeff" + script('    let _ = context;\n    panic!("here")').replace("\n", "\r\n")
    details = rust.prepared(panicking).json["error"]["details"]
    assert (details["line"], details["column"]) == (5, 5)


def test_a_panic_names_the_functions_that_led_to_it(rust: RustRuntime) -> None:
    nested = """
struct Checker { limit: usize }
impl Checker {
    fn check(&self, size: usize) -> bool { if size > self.limit { panic!("too large") } else { true } }
}
""" + script("    Ok(json!(Checker { limit: 1 }.check(context.len())))")
    trace = rust.prepared(nested, compile_options={"optimization_level": "debug"}).json["error"]["details"][
        "stack_trace"
    ]
    assert trace.splitlines() == ["at Checker::check", "at handler"]


@pytest.mark.parametrize(
    ("error_type", "kind"),
    [
        ("out of memory", "memory_limit"),
        ("trap: stack overflow", "exception"),
        ("trap: unreachable", "exception"),
        ("exit", "exception"),
    ],
)
def test_traps_have_different_errors(rust: RustRuntime, kind: str, error_type: str) -> None:
    params = {"case": error_type}
    details = rust.prepared(ENDINGS.script, params).json["error"]["details"]
    assert (details["kind"], details["type"], details["line"]) == (kind, error_type, None)
    assert rust.run(ENDINGS.script, params).json["error"]["details"]["type"] == error_type


def test_an_endless_loop_ends_at_its_deadline_and_the_next_call_works(rust: RustRuntime) -> None:
    answer = rust.prepared(ENDINGS.script, {"case": "loop", "loop": True}, timeout_ms=300)
    assert (answer.status, answer.json["error"]["code"]) == (504, "TIMEOUT")
    assert rust.run(ENDINGS.script, {"case": "loop", "loop": False}).json["result"] == 0


def test_a_script_too_large_to_start_exceeds_its_memory_limit(serve: Serve) -> None:
    large = "static mut BIG: [u8; 40 << 20] = [0; 40 << 20];\n" + script(
        "    unsafe { BIG[context.len()] = 1; Ok(json!(BIG[context.len() + 1])) }"
    )
    assert (
        serve(wasm_memory_max_bytes=32 << 20).prepared(large).json["error"]["details"]["kind"]
        == "memory_limit"
    )
