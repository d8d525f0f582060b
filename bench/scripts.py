"""The scripts that are measured: in each language one that does next to nothing, and one that computes."""

import itertools
from collections.abc import Iterator

_TEMPLATES = {
    "python": "def handle(params):\n    %s\n    return params['n'] + 1\n",
    "nodejs": "module.exports = async (event) => { %s return event.params.n + 1; };\n",
    "rust": """pub fn handler(
    context: serde_json::Map<String, serde_json::Value>,
) -> Result<serde_json::Value, String> {
    %s
    let n = context["params"]["n"].as_i64().ok_or("n is missing")?;
    Ok(serde_json::json!(n + 1))
}
""",
}
#: About ten milliseconds of work.
_LOOPS = {
    "python": "for _ in range(500_000): pass",
    "nodejs": "for (let i = 0; i < 15e6; i++);",
    "rust": "let mut x = 1; for _ in 0..2_000_000 { x = x * 75 % 65537; } assert!(x > 0);",
}
TRIVIAL = {language: text % "" for language, text in _TEMPLATES.items()}
BUSY = {language: text % _LOOPS[language] for language, text in _TEMPLATES.items()}
COMMENTS = {"python": "#", "nodejs": "//", "rust": "//"}


def new_scripts(language: str, mark: str = "") -> Iterator[str]:
    """Trivial scripts that differ in a comment, and from those with another mark."""
    for number in itertools.count():
        yield f"{TRIVIAL[language]}{COMMENTS[language]} {mark} {number}\n"
