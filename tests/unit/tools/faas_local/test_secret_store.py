"""Secrets of functions: files that only we can read."""

import stat
from pathlib import Path

import pytest

from tools.faas_local.refusal import Refused
from tools.faas_local.secret_store import SecretStore, value_of


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    return SecretStore(tmp_path / "secrets")


def test_a_secret_is_made_once_and_changed_while_it_is_there(store: SecretStore, tmp_path: Path) -> None:
    store.create("mine", b"one")
    with pytest.raises(Refused, match="already") as refused:
        store.create("mine", b"two")
    assert (refused.value.status, store.value("mine")) == (409, b"one")
    store.update("mine", b"two")
    assert (store.names(), store.value("mine")) == (["mine"], b"two")
    assert stat.S_IMODE((tmp_path / "secrets" / "mine").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700

    store.remove("mine")
    for gone in (store.value, store.remove, lambda name: store.update(name, b"x")):
        with pytest.raises(Refused, match="no secret mine"):
            gone("mine")


def test_those_that_are_missing_are_named(store: SecretStore) -> None:
    store.put("here", b"x")
    store.require(("here",))
    with pytest.raises(Refused, match="away, gone"):
        store.require(("here", "gone", "away"))


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "A", ".hidden", "a\n"])
def test_a_name_is_no_path(store: SecretStore, name: str) -> None:
    with pytest.raises(Refused, match="name"):
        store.put(name, b"x")


def test_a_value_comes_as_text_or_as_base64() -> None:
    assert value_of({"value": "grüß Gott"}) == "grüß Gott".encode()
    assert value_of({"rawValue": "AP8=", "value": ""}) == b"\x00\xff"


@pytest.mark.parametrize("document", [{}, {"value": ""}, {"value": 1}, {"rawValue": "no base64!"}])
def test_no_value_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(Refused):
        value_of(document)
