"""Reads declarations in TOML: the block of a Python script (PEP 723), and the front matter of a Rust script.

TOML of strangers is read within bounds: the parser takes more than linear time for long keys.
"""

import re
import tomllib
from collections.abc import Sequence
from typing import Any

from controller.declarations.found import Found, Pause, Wrong
from controller.declarations.names import python_versions

#: Most characters of a declaration, and of a line of it.
LENGTH_MAX, LINE_MAX = 16 * 1024, 1000
_PLACE = re.compile(r"\(at line ([0-9]+), column ([0-9]+)\)$")
#: A start of a block and the comment lines that follow, as many as a declaration may have. The last `# ///` ends it.
_COMMENTS = re.compile(r"^# /// ([a-zA-Z0-9-]++)\r?+$(?:\n#(?: [^\n]*+|\r)?$){0,8200}", re.MULTILINE)
_START, _END = "# /// ", "# ///"
_TYPE = "script"
#: Of the front matter. A line of `#!` may come before it.
_OPENING = re.compile(r"(?:#![^\n]*+\n)?\s*+^---[ \t\r]*+\n", re.MULTILINE)
_CLOSING = re.compile(r"^---[ \t\r]*+$", re.MULTILINE)


def read_python(script: str, _: Pause) -> Found | None:
    """Return what the block declares: `dependencies` and `requires-python`. None: there is none. Raises Wrong."""
    if _START + _TYPE not in script:
        return None
    blocks = [found for found in _COMMENTS.finditer(script) if found[1] == _TYPE]
    if not blocks:
        return None
    if len(blocks) > 1:
        raise Wrong("a script has one block `# /// script`", blocks[1].start())
    begins = blocks[0].start()
    lines = blocks[0][0].split("\n")
    ends = [number for number, line in enumerate(lines) if line.rstrip("\r") == _END]
    if not ends or ends[-1] < 2:
        raise Wrong("the block `# /// script` has no end `# ///`, or nothing in it", begins)
    document = _table(lines[1 : ends[-1]], begins + len(lines[0]) + 1, prefix=2)
    listed, versions = document.get("dependencies", []), document.get("requires-python")
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise Wrong("`dependencies` must be a list of texts", begins)
    try:
        requires = None if versions is None else python_versions(str(versions))
    except ValueError as error:
        raise Wrong(f"`requires-python`: {error}", begins) from error
    return Found([(one, _offset_of(one, script, begins)) for one in dict.fromkeys(listed)], requires)


def read_rust(script: str, _: Pause) -> Found | None:
    """Return the crates of the front matter's `[dependencies]`. None: there is none. Raises Wrong."""
    opening = _OPENING.match(script)
    if opening is None:
        return None
    begins = opening.end()
    closing = _CLOSING.search(script, begins)
    if closing is None:
        raise Wrong("the front matter has no end `---`", begins - 1)
    document = _table(script[begins : closing.start()].split("\n")[:-1], begins)
    crates = document.get("dependencies", {})
    if not isinstance(crates, dict) or not all(isinstance(version, str) for version in crates.values()):
        raise Wrong("`[dependencies]` has a version for each crate, as a text", begins)
    return Found(
        [(f"{name}@{version}", _offset_of(name, script, begins)) for name, version in crates.items()]
    )


def _table(lines: Sequence[str], begins: int, prefix: int = 0) -> dict[str, Any]:
    """Return the table that the lines are.

    Args:
        lines: the lines of the script that have it.
        begins: where in the script the first line begins.
        prefix: how many characters of each line come before the TOML.

    Raises:
        Wrong: it is not TOML, or too long.
    """
    offset = begins
    for line in lines:
        if len(line) > LINE_MAX or offset - begins > LENGTH_MAX:
            raise Wrong(f"a declaration has {LENGTH_MAX} characters at most, {LINE_MAX} a line", offset)
        offset += len(line) + 1
    try:
        return tomllib.loads("".join(f"{line[prefix:]}\n" for line in lines))
    except RecursionError as error:
        raise Wrong("the declaration is nested too deeply", begins) from error
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        number, column = (int(place[1]), int(place[2])) if place else (len(lines), 1)
        before = sum(len(line) + 1 for line in lines[: number - 1])
        message = f"the declaration is not TOML: {_PLACE.sub('', str(error)).strip()}"
        raise Wrong(message, begins + before + prefix + column - 1) from error


def _offset_of(text: str, script: str, begins: int) -> int:
    """Return where a text of a declaration stands, or where the declaration begins."""
    found = script.find(text, begins, begins + LENGTH_MAX)
    return begins if found < 0 else found
