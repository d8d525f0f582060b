"""JSON values that count each look at a member of an array or object, and that messages quote in short."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, SupportsIndex

from controller.json_schema.work import CURRENT, charge

#: Most characters of a string, and most members of an array or object, that a message quotes.
QUOTED_MAX = 80
QUOTED_MEMBERS = 10
#: Integers above this are not quoted. Decimal digits take quadratic time.
_LARGE = 1 << 256
#: Steps of a look at a member: what the library does with it in the cheapest case.
_LOOK = 3
#: Members that are not worth counting one by one.
_FEW = 20


class Text(str):
    """A string that may be long."""

    def __repr__(self) -> str:
        return repr(str(self) if len(self) <= QUOTED_MAX else f"{self[:QUOTED_MAX]}…")


class Integer(int):
    """A large integer."""

    def __repr__(self) -> str:
        return "the integer"


class Array(list[Any]):
    """An array that counts."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return _looked_at(list.__iter__(self), len(self))

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        charge(_LOOK)
        found = list.__getitem__(self, at)
        return Array(found) if isinstance(at, slice) else found

    def __repr__(self) -> str:
        quoted = [_quoted(item) for item in islice(list.__iter__(self), QUOTED_MEMBERS)]
        return f"[{', '.join([*quoted, '…'] if len(self) > QUOTED_MEMBERS else quoted)}]"


class Object(dict[str, Any]):
    """An object that counts. `items` counts all members before the first."""

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        return _looked_at(dict.__iter__(self), len(self))

    def items(self) -> Any:
        """Return the members."""
        # `charge`, without the call: the library asks for the members of each schema twice.
        work = CURRENT.get()
        work.left -= _LOOK * len(self) + _LOOK
        if work.left < 0:
            work.pause()
        return dict.items(self)

    def __repr__(self) -> str:
        quoted = [f"{k!r}: {_quoted(v)}" for k, v in islice(dict.items(self), QUOTED_MEMBERS)]
        return f"{{{', '.join([*quoted, '…'] if len(self) > QUOTED_MEMBERS else quoted)}}}"


def _looked_at(members: Iterator[Any], number: int) -> Iterator[Any]:
    if number > _FEW:
        return _counting(members)
    charge(_LOOK * number)
    return members


def _counting(members: Iterator[Any]) -> Iterator[Any]:
    for member in members:
        charge(_LOOK)
        yield member


def _quoted(value: Any) -> str:
    if isinstance(value, dict):
        return "{…}"
    return "[…]" if isinstance(value, list) else repr(value)


def counted(value: Any) -> Any:
    """Return a JSON value as one that counts. Raises OutOfSteps."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= QUOTED_MAX else Text(value)
    if kind is int:
        return value if -_LARGE < value < _LARGE else Integer(value)
    if kind is dict:
        names = _looked_at(iter(value), len(value))
        return Object({n if len(n) <= QUOTED_MAX else Text(n): counted(value[n]) for n in names})
    if kind is list:
        return Array([counted(item) for item in _looked_at(iter(value), len(value))])
    return value


def canonical(value: Any) -> str:
    """Return a text that equal JSON values share, and no others. 1 and 1.0 are equal, 1 and true are not.

    Texts are compared, not values: Python's hashes of numbers collide at will, those of texts do not.

    Raises:
        OutOfSteps: the bound is reached.
    """
    charge(5)
    if isinstance(value, str):
        charge(len(value) >> 6)
        return f'"{len(value)}:{value}'
    if isinstance(value, dict):
        return f"{{{''.join(canonical(name) + canonical(value[name]) for name in sorted(value))}}}"
    if isinstance(value, list):
        return f"[{''.join(map(canonical, value))}]"
    if value is None or isinstance(value, bool):
        return repr(value)
    # Whole numbers in hexadecimal, for its time is linear.
    return f"#{int(value):x}" if isinstance(value, int) or value.is_integer() else f"#{value!r}"
