"""The scripts that are measured: in each language one that does next to nothing, and one that works for 10 ms."""

import itertools
from collections.abc import Iterator

TRIVIAL = {
    "python": "def handle(params):\n    return params['n'] + 1\n",
    "nodejs": "module.exports = async (event) => event.params.n + 1;\n",
    "rust": """pub fn handler(
    context: serde_json::Map<String, serde_json::Value>,
) -> Result<serde_json::Value, String> {
    let n = context["params"]["n"].as_i64().ok_or("n is missing")?;
    Ok(serde_json::json!(n + 1))
}
""",
}
#: They compute by the clock, so that every machine is as long about it.
TEN_MILLISECONDS = {
    "python": """import time

def handle(params):
    end = time.perf_counter() + 0.01
    while time.perf_counter() < end:
        pass
    return params['n'] + 1
""",
    "nodejs": """module.exports = async (event) => {
  const end = performance.now() + 10;
  while (performance.now() < end);
  return event.params.n + 1;
};
""",
    "rust": """pub fn handler(
    context: serde_json::Map<String, serde_json::Value>,
) -> Result<serde_json::Value, String> {
    let start = std::time::Instant::now();
    while start.elapsed().as_millis() < 10 {}
    let n = context["params"]["n"].as_i64().ok_or("n is missing")?;
    Ok(serde_json::json!(n + 1))
}
""",
}
COMMENTS = {"python": "#", "nodejs": "//", "rust": "//"}


def new_scripts(language: str, mark: str = "") -> Iterator[str]:
    """Scripts that do the same and that nobody has seen before, nor sees elsewhere if `mark` is one's own."""
    for number in itertools.count():
        yield f"{TRIVIAL[language]}{COMMENTS[language]} {mark} {number}\n"
