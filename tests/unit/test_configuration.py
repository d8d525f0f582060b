"""Settings: their sources and which takes precedence, accepted texts, and declared variables."""

from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path
from typing import Any

import pytest

from configuration.environment import Environment
from configuration.errors import UnusableSetting
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
from configuration.variable import Computed, Missing, group, optional, read, required, variable, variables

NAME = "SOME_KEY"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (NAME, f"{NAME}_FILE"):
        monkeypatch.delenv(name, raising=False)


def written(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def test_a_variable_without_a_source_has_no_text(tmp_path: Path) -> None:
    assert Environment(tmp_path / "absent", tmp_path).get(NAME) is None


def test_a_required_variable_is_named() -> None:
    with pytest.raises(UnusableSetting, match=f"^{NAME}: not set, and there is no default$"):
        Environment().require(NAME)


def test_the_platforms_secret_wins_over_the_file_of_defaults(tmp_path: Path) -> None:
    written(tmp_path / "some-key", "platform\n")
    dotenv = written(tmp_path / ".env", f"{NAME}=default\n")
    assert Environment(dotenv, tmp_path).get(NAME) == "platform"
    assert Environment(dotenv).get(NAME) == "default"


def test_the_environment_wins_over_the_platforms_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written(tmp_path / "some-key", "platform\n")
    monkeypatch.setenv(NAME, "environment")
    assert Environment(secrets=tmp_path).get(NAME) == "environment"


def test_a_named_file_wins_over_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(NAME, "environment")
    monkeypatch.setenv(f"{NAME}_FILE", str(written(tmp_path / "file", " file\n")))
    written(tmp_path / "some-key", "platform\n")
    assert Environment(secrets=tmp_path).get(NAME) == "file"


def test_the_file_of_defaults_may_name_a_file(tmp_path: Path) -> None:
    file = written(tmp_path / "file", "file\n")
    assert Environment(written(tmp_path / ".env", f"{NAME}_FILE={file}\n")).get(NAME) == "file"


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "absent"))
    with pytest.raises(UnusableSetting, match=f"^{NAME}: the file that {NAME}_FILE names cannot be read$"):
        Environment().get(NAME)


def test_a_secret_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "some-key").write_bytes(b"\xff")
    with pytest.raises(UnusableSetting, match=f"^{NAME}: the file .*some-key cannot be read$"):
        Environment(secrets=tmp_path).get(NAME)


def test_a_file_of_defaults_that_is_no_text_is_an_error_with_its_name(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"\xff=\xff")
    with pytest.raises(UnusableSetting, match="env: cannot be read"):
        Environment(dotenv)


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


@dataclass(frozen=True, slots=True)
class Inner:
    tries: int = variable("THE_TRIES", whole(1, 9), 3, doc="Most tries.")


@dataclass(frozen=True, slots=True)
class Outer:
    mode: str = variable("THE_MODE", one_of("plain", "rich"), "plain", doc="Mode.")
    inner: Inner = group(Inner)
    key: str = required("THE_KEY", secret_text(4), doc="Key.")
    colour: str = variable(
        "THE_COLOUR",
        text(),
        Computed(lambda chosen: "red" if chosen["mode"] == "rich" else "grey", "by mode"),
        doc="Colour.",
    )
    palette: int | None = optional(
        "THE_PALETTE",
        whole(1),
        applies=lambda chosen: bool(chosen["mode"] == "rich"),
        doc="Size of the palette.",
    )


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for each in variables(Outer):
        monkeypatch.delenv(each.name, raising=False)
    monkeypatch.setenv("THE_KEY", "1234")
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_defaults_hold_where_nothing_is_set() -> None:
    assert read(Outer, Environment()) == Outer("plain", Inner(3), "1234", "grey", None)


def test_a_set_variable_replaces_the_default(environment: pytest.MonkeyPatch) -> None:
    for name, value in {"MODE": "rich", "TRIES": "9", "COLOUR": "blue", "PALETTE": "8"}.items():
        environment.setenv(f"THE_{name}", value)
    assert read(Outer, Environment()) == Outer("rich", Inner(9), "1234", "blue", 8)


def test_a_default_may_follow_another_variable(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("THE_MODE", "rich")
    assert read(Outer, Environment()).colour == "red"


def test_a_variable_that_does_not_apply_is_not_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("THE_PALETTE", "bad")
    assert read(Outer, Environment()).palette is None
    environment.setenv("THE_MODE", "rich")
    with pytest.raises(UnusableSetting, match=r"^THE_PALETTE: 'bad' is not a whole number of at least 1$"):
        read(Outer, Environment())


def test_a_bad_value_of_a_group_names_its_variable(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("THE_TRIES", "10")
    with pytest.raises(UnusableSetting, match=r"^THE_TRIES: '10' is not a whole number from 1 to 9$"):
        read(Outer, Environment())


def test_a_required_variable_has_no_default(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("THE_KEY")
    with pytest.raises(UnusableSetting, match=r"^THE_KEY: not set"):
        read(Outer, Environment())


def test_a_secret_is_in_no_message(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("THE_KEY", "abc")
    with pytest.raises(UnusableSetting) as refused:
        read(Outer, Environment())
    assert "abc" not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.usefixtures("environment")
def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        read(Outer, Environment()).mode = "rich"  # type: ignore[misc]


def test_all_variables_are_listed_in_order() -> None:
    listed = {each.name: each.default for each in variables(Outer)}
    assert list(listed) == ["THE_MODE", "THE_TRIES", "THE_KEY", "THE_COLOUR", "THE_PALETTE"]
    assert listed["THE_TRIES"] == "3"
    assert listed["THE_KEY"] is Missing.REQUIRED
    assert listed["THE_PALETTE"] is Missing.UNSET
