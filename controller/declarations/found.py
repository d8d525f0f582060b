"""What the readers of scripts return, and how they say where something is wrong."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

#: Lets others work while a long script is read.
Pause = Callable[[], object]


class Found(NamedTuple):
    """A declaration as it is written: each package with its offset in the script."""

    packages: Sequence[tuple[str, int]]
    requires_python: str | None = None


class Wrong(Exception):
    """A declaration is broken at an offset of the script."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def place_of(script: str, offset: int) -> dict[str, int]:
    """Return line and column of an offset, from 1."""
    return {
        "line": script.count("\n", 0, offset) + 1,
        "column": offset - (script.rfind("\n", 0, offset) + 1) + 1,
    }
