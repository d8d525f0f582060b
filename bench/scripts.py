"""The scripts that are measured: one trivial handler in each language, and ever new ones like it."""

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
_COMMENTS = {"python": "#", "nodejs": "//", "rust": "//"}


def new_scripts(language: str) -> Iterator[str]:
    """Scripts that do the same and that nobody has seen before."""
    for number in itertools.count():
        yield f"{TRIVIAL[language]}{_COMMENTS[language]} {number}\n"
