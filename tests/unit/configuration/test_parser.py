"""Parsers: the accepted texts, their values, and what an error says."""

from pathlib import Path
from typing import Any

import pytest

from configuration.parser import (
    Parser,
    Refused,
    flag,
    http_address,
    number,
    one_of,
    path,
    secret_text,
    separated,
    text,
    whole,
)


@pytest.mark.parametrize(
    ("parser", "given", "value"),
    [
        (whole(1, 3), "1", 1),
        (whole(1, 3), "3", 3),
        (whole(0), "9" * 400, int("9" * 400)),
        (number(0, 300), "1.5", 1.5),
        (text(), "", ""),
        (secret_text(3), "abc", "abc"),
        (one_of("a", "b"), "b", "b"),
        (flag(), "TRUE", True),
        (flag(), "no", False),
        (path(), "/a/b", Path("/a/b")),
        (path(), "here", Path.cwd() / "here"),
        (http_address(), "https://[::1]:8080/a", "https://[::1]:8080/a"),
        (separated(whole(1)), "1,2", (1, 2)),
        (separated(text()), "a, b", ("a", " b")),
        (separated(whole(1)), "", ()),
    ],
)
def test_an_accepted_text_has_a_value(parser: Parser[Any], given: str, value: object) -> None:
    assert parser(given) == value


@pytest.mark.parametrize(
    ("parser", "given", "message"),
    [
        (whole(1, 3), "4", "'4' is not a whole number from 1 to 3"),
        (whole(1), "0", "'0' is not a whole number of at least 1"),
        (whole(1), "1.5", "'1.5' is not a whole number of at least 1"),
        (number(0), "inf", "'inf' is not a number of at least 0"),
        (number(0), "nan", "'nan' is not a number of at least 0"),
        (number(0, 300), "301", "'301' is not a number from 0 to 300"),
        (secret_text(3), "ab", "the value is not a text of at least 3 characters"),
        (one_of("a", "b"), "c", "'c' is not one of a, b"),
        (flag(), "tRUE", "'tRUE' is not true or false"),
        (http_address(), "ftp://host", "'ftp://host' is not an http address"),
        (http_address(), "http://", "'http://' is not an http address"),
        (http_address(), "http://[", "'http://[' is not an http address"),
        (separated(whole(1)), "1,0", "'0' is not a whole number of at least 1"),
    ],
)
def test_an_error_says_what_is_accepted(parser: Parser[Any], given: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        parser(given)
    assert str(refused.value) == message


def test_a_list_says_what_its_entries_are() -> None:
    assert (
        separated(whole(1)).accepts == "a list separated by commas, each entry a whole number of at least 1"
    )
