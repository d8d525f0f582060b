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
#: They compute for as long as the params' `loops` say.
BUSY = {
    "python": """def handle(params):
    x = 1
    for _ in range(params['loops']):
        x = x * 75 % 65537
    return params['n'] + (1 if x else 0)
""",
    "nodejs": """module.exports = async (event) => {
  let x = 1;
  for (let i = 0; i < event.params.loops; i++) x = (x * 75) % 65537;
  return event.params.n + (x ? 1 : 0);
};
""",
    "rust": """pub fn handler(
    context: serde_json::Map<String, serde_json::Value>,
) -> Result<serde_json::Value, String> {
    let params = &context["params"];
    let loops = params["loops"].as_i64().ok_or("loops is missing")?;
    let mut x = 1;
    for _ in 0..loops {
        x = x * 75 % 65537;
    }
    let n = params["n"].as_i64().ok_or("n is missing")?;
    Ok(serde_json::json!(n + if x != 0 { 1 } else { 0 }))
}
""",
}
COMMENTS = {"python": "#", "nodejs": "//", "rust": "//"}


def new_scripts(language: str, mark: str = "") -> Iterator[str]:
    """Scripts that do the same and that nobody has seen before, nor sees elsewhere if `mark` is one's own."""
    for number in itertools.count():
        yield f"{TRIVIAL[language]}{COMMENTS[language]} {mark} {number}\n"
