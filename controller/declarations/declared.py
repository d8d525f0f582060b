"""What a script needs: declared in it, or beside it in the field `packages`."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import gevent

from controller.declarations import nodejs, toml_blocks
from controller.declarations.found import Found, Pause, Wrong, place_of
from controller.declarations.names import CANONICAL
from controller.errors import InitializationFailed, InvalidRequest

#: Most packages of a declaration.
PACKAGES_MAX = 100
READERS: Mapping[str, Callable[[str, Pause], Found | None]] = MappingProxyType(
    {
        "python": toml_blocks.read_python,
        "nodejs": nodejs.read,
        "typescript": nodejs.read,
        "rust": toml_blocks.read_rust,
    }
)


class Declared(NamedTuple):
    """What is declared, in canonical form: sorted, each package once."""

    packages: tuple[str, ...]
    requires_python: str | None = None


def pause_for_others() -> None:
    """Let other greenlets run."""
    gevent.sleep(0)


def of_script(language: str, script: str, pause: Pause = pause_for_others) -> Declared | None:
    """Return what a script declares. None: it declares nothing.

    Args:
        language: the language of its runtime.
        script: its text.
        pause: called now and then while the script is read.

    Raises:
        InitializationFailed: the declaration is broken, or a package in it is refused. It tells line and column.
    """
    reader = READERS.get(language)
    try:
        found = None if reader is None else reader(script, pause)
        return None if found is None else Declared(_listed(language, found), found.requires_python)
    except Wrong as wrong:
        place = place_of(script, wrong.offset)
        raise InitializationFailed(
            wrong.message,
            details={"stage": "resolve", **place, "diagnostics": [{"message": wrong.message, **place}]},
        ) from wrong


def of_field(language: str, packages: Sequence[str], pointer: str) -> Declared:
    """Return what the field declares.

    Args:
        language: the language of the runtime.
        packages: the field.
        pointer: the field's place in the request.

    Raises:
        InvalidRequest: a package is refused. It has the JSON pointer.
    """
    canonical = CANONICAL.get(language)
    made: set[str] = set()
    for number, package in enumerate(packages):
        try:
            if canonical is None:
                raise ValueError(f"scripts in {language} have no packages")
            made.add(canonical(package))
        except ValueError as error:
            fault = {"pointer": f"{pointer}/{number}", "message": _first_line(error)}
            message = f"{fault['pointer']}: {fault['message']}"
            raise InvalidRequest(message, details={"errors": [fault]}) from error
    return Declared(tuple(sorted(made)))


def _listed(language: str, found: Found) -> tuple[str, ...]:
    """Return the canonical packages that were found. Raises Wrong."""
    made: set[str] = set()
    for number, (package, offset) in enumerate(found.packages):
        if number == PACKAGES_MAX:
            raise Wrong(f"a script may declare {PACKAGES_MAX} packages", offset)
        try:
            made.add(CANONICAL[language](package))
        except ValueError as error:
            raise Wrong(_first_line(error), offset) from error
    return tuple(sorted(made))


def _first_line(error: ValueError) -> str:
    """Return the message without the picture that `packaging` draws below."""
    return str(error).partition("\n")[0]
