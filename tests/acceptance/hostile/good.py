"""Scripts that mean no harm, and what must hold when they have run."""

from typing import Any

from tests.acceptance.hostile.conftest import Runtimes
from tests.acceptance.hostile.served import Runtime, open_descriptors, until

_SCRIPTS = {
    "python": """
import os
def handle(params):
    return {"sum": params["a"] + params["b"], "process": os.getpid(), "folder": os.getcwd()}
""",
    "nodejs": """
module.exports = async ({ params }) => ({
  sum: params.a + params.b, process: process.pid, folder: process.cwd(),
});
""",
    "rust": """
use serde_json::{json, Map, Value};
pub fn handler(context: Map<String, Value>) -> Result<Value, String> {
    let params = &context["params"];
    Ok(json!({"sum": params["a"].as_i64().unwrap_or(0) + params["b"].as_i64().unwrap_or(0)}))
}
""",
}


def good(runtime: Runtime, tenant: str = "good") -> dict[str, Any]:
    """Runs a harmless script, which must work immediately."""
    answer = runtime.run(_SCRIPTS[runtime.language], {"a": 2, "b": 3}, tenant=tenant)
    assert answer.status == 200, answer.json
    result: dict[str, Any] = answer.json["result"]
    assert result["sum"] == 5
    return result


def check_clean(runtimes: Runtimes, language: str) -> None:
    """The runtime serves on, and neither a process, nor a folder, nor a descriptor is left of what went before."""
    runtime = runtimes(language)
    good(runtime)
    until(lambda: not runtime.leaks(), f"no more of this: {runtime.leaks()}")
    started, base = runtimes.all(), runtimes.descriptors
    until(
        lambda: open_descriptors() <= base + sum(r.descriptors() for r in started), "descriptors to be closed"
    )
