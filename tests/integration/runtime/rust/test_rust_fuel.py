"""Fuel: the WebAssembly instructions of a run, counted by the worker and returned beside the result."""

import hashlib
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
from tests.integration.runtime.rust.served import script

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
