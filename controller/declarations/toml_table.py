"""Reads TOML of strangers, within bounds: the parser takes more than linear time for long keys."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any

from controller.declarations.found import Wrong

#: Most characters of a declaration, and of a line of it.
LENGTH_MAX, LINE_MAX = 16 * 1024, 1000
_PLACE = re.compile(r"\(at line ([0-9]+), column ([0-9]+)\)$")


def table(lines: Sequence[str], begins: int, prefix: int = 0) -> dict[str, Any]:
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


def offset_of(text: str, script: str, begins: int) -> int:
    """Return where a text of a declaration stands, or where the declaration begins."""
    found = script.find(text, begins, begins + LENGTH_MAX)
    return begins if found < 0 else found
