"""Values on their way through Rust: exact, or refused with their place; and the fuel that a run has used."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from runtime.errors import ScriptFailed
from runtime.executor import Executor
from runtime.languages.base import Script
from runtime.languages.rust.language import Rust
from runtime.metrics import RuntimeMetrics
from runtime.process.worker import Worker
from runtime.settings import Settings
from tests.integration.runtime.rust.conftest import Choice, RustRuntime, script

ECHO = script('    Ok(context["params"]["value"].clone())')


NOT_JSON = {
    "NaN at /mean": '    Ok(json!({"count": 0, "mean": context.len() as f64 * f64::NAN}))',
    "-inf as a whole": "    let _ = context; Ok(Value::from(f64::NEG_INFINITY))",
    "-inf at /a~1b~0": '    let mut map = context; map.insert("a/b~".into(), (-f64::INFINITY).into());\n'
    "    Ok(map.into())",
    "NaN at /x": '    let one = std::collections::HashMap::from([("x", Some(f64::NAN))]); let _ = context;\n'
    "    serde_json::to_value(one).map_err(|error| error.to_string())",
    f"NaN at /all/300000{'/0' * 100}": """    let mut value = json!(f64::NAN);
    for _ in 0..100 { value = json!([value]) }
    let mut all: Vec<Value> = (0..300_000).map(|n| json!(format!("info {}", n))).collect();
    all.push(value);
    Ok(json!({"all": all, "keys": context.len()}))""",
}
NOT_UTF_8 = {
    name: f"    let _ = context; Ok(json!(unsafe {{ String::from_utf8_unchecked(vec![{name}]) }}))"
    for name in ("0xff", "0xc3", "0xed, 0xa0, 0x80")
}
RESULTS = Choice(
    {
        **NOT_JSON,
        **NOT_UTF_8,
        "harmless": """    let _ = context;
    let mean = json!(f64::NAN);
    Ok(json!([mean.is_number(), mean.as_f64(), "NaN", "inf", {"NaN": "info"}, 2.5, 1.5f32]))""",
        "too deep": """    let mut value = json!(context.len());
    for _ in 0..5000 { value = Value::Array(vec![value]) }
    Ok(value)""",
        "128 bits": "    let _ = context; Ok(json!([u128::MAX, i128::MIN, u64::MAX, i64::MIN]))",
        "types": """    let all = context["params"]["all"].as_array().ok_or("no list")?;
    Ok(json!(all.iter().map(|n| json!([n.as_i64(), n.as_u64(), n.as_f64(), n.is_f64()])).collect::<Vec<_>>()))""",
    }
)


@pytest.mark.parametrize("place", NOT_JSON)
def test_a_number_that_json_lacks_is_refused_with_its_place(place: str, rust: RustRuntime) -> None:
    error = rust.prepared(RESULTS.script, {"case": place}).json["error"]
    assert error["message"] == f"the result holds {place}"
    assert (error["details"]["kind"], error["details"]["type"]) == ("result_not_json", "f64")


def test_a_number_that_json_lacks_does_no_harm_outside_the_result(rust: RustRuntime) -> None:
    assert rust.prepared(RESULTS.script, {"case": "harmless"}).json["result"] == [
        True, None, "NaN", "inf", {"NaN": "info"}, 2.5, 1.5,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        2**64 - 1, -(2**63), 2**53 + 1, 2**64, -(2**63) - 1, 10**40, -(10**40) + 1, int("7" * 400),
        -0.0, 5e-324, 1.7976931348623157e308, 2.2250738585072014e-308, 0.1, 1e22, 1e16, 1.0, 100000.0,
        123456789.12345679, "ラムダ\u0000😀", "", None, True, [], {}, {"": {"a~/b": [None]}},
    ],
    ids=lambda value: repr(value)[:24],
)  # fmt: skip
def test_a_value_is_returned_to_the_last_bit(value: Any, rust: RustRuntime) -> None:
    result = rust.prepared(ECHO, {"value": value}).json["result"]
    assert json.dumps(result) == json.dumps(value)


@pytest.mark.parametrize("depth", [100, 127, 128, 150, 190])
def test_values_may_be_as_deep_as_the_page_says(depth: int, rust: RustRuntime) -> None:
    nested = json.loads('{"a":[' * (depth // 2) + "1" + "]}" * (depth // 2))
    assert rust.prepared(ECHO, {"value": nested}).json["result"] == nested


def test_a_result_that_is_too_deep_is_no_json(rust: RustRuntime) -> None:
    error = rust.prepared(RESULTS.script, {"case": "too deep"}).json["error"]
    assert error["details"]["kind"] == "result_not_json"


def test_integers_of_128_bits_are_exact(rust: RustRuntime) -> None:
    result = rust.prepared(RESULTS.script, {"case": "128 bits"}).json["result"]
    assert result == [2**128 - 1, -(2**127), 2**64 - 1, -(2**63)]


def test_numbers_are_read_as_the_types_that_fit(rust: RustRuntime) -> None:
    answer = rust.prepared(RESULTS.script, {"case": "types", "all": [7, -7, 1.0, 2**64]})
    assert answer.json["result"] == [
        [7, 7, 7.0, False], [-7, None, -7.0, False], [None, None, 1.0, True], [None, None, 2.0**64, False],
    ]  # fmt: skip


@pytest.mark.parametrize("bytes_", NOT_UTF_8)
def test_a_string_that_is_not_utf_8_is_refused(bytes_: str, rust: RustRuntime) -> None:
    error = rust.prepared(RESULTS.script, {"case": bytes_}).json["error"]
    assert error["details"]["kind"] == "result_not_json"
    assert "UTF-8" in error["message"]


LOOP = script("""    let n = context["params"]["n"].as_u64().ok_or("n is no number")?;
    let mut sum = 0u64;
    for i in 0..n { sum = unsafe { std::ptr::read_volatile(&(sum + i)) }; }
    Ok(json!(sum))""")


@pytest.fixture(scope="module")
def looping(settings: Settings) -> Iterator[Worker]:
    """A worker with LOOP loaded."""
    language = Rust(settings)
    executor = Executor(language, settings, RuntimeMetrics("rust"))
    source = Script(hashlib.sha256(LOOP.encode()).hexdigest(), language.options("rust", {}), content=LOOP)
    with closing(executor), closing(executor.worker()) as worker:
        compiled = language.compile(source, executor)
        payload = language.load_payload(compiled, worker.process.folder, executor)
        worker.load(payload, "compile", 10_000)
        yield worker


def run(worker: Worker, **params: Any) -> dict[str, Any]:
    return worker.ask({"run": {"params": params, "context": {}}})


def test_fuel_grows_with_the_work(looping: Worker) -> None:
    little, much = (run(looping, n=n)["fuel"] for n in (1000, 101_000))
    assert 100_000 < much - little < 100_000 * 20


def test_the_usage_of_every_run_has_the_fuel(looping: Worker) -> None:
    done = looping.run({"n": 1000}, {}, 10_000, None)
    assert done.usage.fuel is not None
    assert done.usage.fuel > 1000
    with pytest.raises(ScriptFailed) as failed:
        looping.run({"n": "many"}, {}, 10_000, None)
    assert failed.value.usage is not None
    assert failed.value.usage.fuel


def test_fuel_never_runs_out_before_the_deadline_does(looping: Worker) -> None:
    assert run(looping, n=200_000_000)["fuel"] > 200_000_000
