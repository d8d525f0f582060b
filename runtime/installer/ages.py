"""The minimum age of versions: what was too young, and what is old enough."""

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from runtime.errors import InitializationFailed
from runtime.installer.refusals import RESOLVE, refusal

T = TypeVar("T")


def resolved(
    days: float,
    resolve: Callable[[float], T],
    versions: Callable[[T], Mapping[str, str]],
    newest: Callable[[list[str]], T],
    asked: Collection[str],
) -> T:
    """Return what `resolve` finds. Where only the age stands against it, the error names what is old enough.

    Args:
        days: The minimum age.
        resolve: Resolves what is wanted, from versions of at least this age.
        versions: Returns the versions in what was resolved, by name.
        newest: Resolves the newest version of each name that is old enough.
        asked: Names that are declared.

    Raises:
        InitializationFailed: It cannot be resolved.
    """
    try:
        return resolve(days)
    except InitializationFailed as error:
        if not days:
            raise
        try:
            young = versions(resolve(0))
        except InitializationFailed:
            raise error from None
    names = sorted(young.keys() & set(asked)) or sorted(young)
    try:
        allowed = versions(newest(names))
    except InitializationFailed:
        allowed = {}  # one of them has no version that is old enough
    lines = [
        f"{name} {young[name]} is younger than {days:g} days; "
        + (f"the newest allowed version is {allowed[name]}" if name in allowed else "no older one is known")
        for name in names
        if allowed.get(name) != young[name]
    ]
    raise refusal("; ".join(lines) or f"a package that is needed is younger than {days:g} days", RESOLVE)
