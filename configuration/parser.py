"""Parsers, which convert the text of a variable to a value and describe the texts that they accept."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_WORDS = {"true": True, "t": True, "yes": True, "y": True, "on": True, "1": True}
_WORDS |= {"false": False, "f": False, "no": False, "n": False, "off": False, "0": False}
_FLAGS = {
    spelling: value for word, value in _WORDS.items() for spelling in (word, word.title(), word.upper())
}


class Refused(ValueError):
    """A parser does not accept a text. The message completes `NAME: ...`."""


@dataclass(frozen=True, slots=True)
class Parser(Generic[T]):
    """Converts a text to a value.

    Attributes:
        convert: Returns the value; raises ValueError for a text that it does not accept.
        accepts: Describes the accepted texts, for instance "a whole number from 1 to 5".
        secret: Whether error messages must not show the text.
    """

    convert: Callable[[str], T]
    accepts: str
    secret: bool = False

    def __call__(self, text: str) -> T:
        """Return the value.

        Raises:
            Refused: The text is not accepted; the message says what is.
        """
        try:
            return self.convert(text)
        except Refused:
            raise
        except ValueError:
            shown = "the value" if self.secret else repr(text)
            raise Refused(f"{shown} is not {self.accepts}") from None


def whole(least: int, most: int | None = None) -> Parser[int]:
    """Parse a whole number from `least` to `most`, both included."""
    return Parser(lambda text: _within(int(text), least, most), f"a whole number {_range(least, most)}")


def number(least: float, most: float | None = None) -> Parser[float]:
    """Parse a number from `least` to `most`, both included."""
    return Parser(lambda text: _within(float(text), least, most), f"a number {_range(least, most)}")


def text() -> Parser[str]:
    """Parse any text."""
    return Parser(str, "a text")


def secret_text(least: int) -> Parser[str]:
    """Parse a text of at least `least` characters, which error messages do not show."""

    def convert(text: str) -> str:
        _within(len(text), least, None)
        return text

    return Parser(convert, f"a text of at least {least} characters", secret=True)


def one_of(*choices: str) -> Parser[str]:
    """Parse one of the given words."""

    def convert(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return Parser(convert, f"one of {', '.join(choices)}")


def flag() -> Parser[bool]:
    """Parse a boolean in its usual spellings, such as `true`, `no`, `1`."""

    def convert(text: str) -> bool:
        if text not in _FLAGS:
            raise ValueError(text)
        return _FLAGS[text]

    return Parser(convert, "true or false")


def path() -> Parser[Path]:
    """Parse a path; a relative one starts in the working folder."""
    return Parser(lambda text: Path(text).absolute(), "a path")


def http_address() -> Parser[str]:
    """Parse an address that starts with http:// or https:// and has a host."""

    def convert(text: str) -> str:
        address = urlsplit(text)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError(text)
        return text

    return Parser(convert, "an http address")


def separated(entry: Parser[T]) -> Parser[tuple[T, ...]]:
    """Parse entries separated by commas. The empty text has no entries."""
    return Parser(
        lambda text: tuple(entry(part) for part in text.split(",")) if text else (),
        f"a list separated by commas, each entry {entry.accepts}",
    )


N = TypeVar("N", int, float)


def _within(value: N, least: float, most: float | None) -> N:
    if not least <= value < math.inf or (most is not None and value > most):
        raise ValueError(value)
    return value


def _range(least: float, most: float | None) -> str:
    return f"of at least {least}" if most is None else f"from {least} to {most}"
