"""Reads the front matter of a Rust script: the crates of its `[dependencies]`."""

import re

from controller.declarations.found import Found, Pause, Wrong
from controller.declarations.toml_table import offset_of, table

#: A line of `#!` may come first.
_OPENING = re.compile(r"(?:#![^\n]*+\n)?\s*+^---[ \t\r]*+\n", re.MULTILINE)
_CLOSING = re.compile(r"^---[ \t\r]*+$", re.MULTILINE)


def read(script: str, _: Pause) -> Found | None:
    """Return what the front matter declares. None: there is none. Raises Wrong."""
    opening = _OPENING.match(script)
    if opening is None:
        return None
    begins = opening.end()
    closing = _CLOSING.search(script, begins)
    if closing is None:
        raise Wrong("the front matter has no end `---`", begins - 1)
    document = table(script[begins : closing.start()].split("\n")[:-1], begins)
    crates = document.get("dependencies", {})
    if not isinstance(crates, dict) or not all(isinstance(version, str) for version in crates.values()):
        raise Wrong("`[dependencies]` has a version for each crate, as a text", begins)
    return Found([(f"{name}@{version}", offset_of(name, script, begins)) for name, version in crates.items()])
