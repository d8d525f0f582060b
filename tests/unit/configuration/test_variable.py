"""Declared variables: read into a frozen object, and listed for the documents."""

from dataclasses import FrozenInstanceError, dataclass

import pytest

from configuration.environment import Environment
from configuration.errors import UnusableSetting
from configuration.parser import one_of, secret_text, text, whole
from configuration.variable import Computed, Missing, group, optional, read, required, variable, variables


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
