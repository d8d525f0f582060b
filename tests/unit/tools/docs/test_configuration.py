"""docs/configuration.md and `make config`: every variable, current, with no secret."""

from pathlib import Path
from types import ModuleType

import pytest

from local.state import ROOT
from tools.docs.configuration import effective, page
from tools.docs.variables import PARTS, Unreadable, Variable, variables, variables_of

SETTINGS = '''
from dataclasses import dataclass

SOME = ["a", "b"]

@dataclass
class Inner:
    tries: int
    """How often."""

@dataclass
class Settings:
    patience: float
    """Seconds of waiting,
    at most."""
    room_bytes: int
    """Room."""
    some: list[str]
    """Some of them."""
    folder: str
    """By default where there is room."""
    inner: Inner
    key: str
    """A key."""
    where: str | None
    """The place."""

    @classmethod
    def from_environment(cls, env):
        place = env.str("WHERE", "")
        return cls(
            patience=env.float("PATIENCE", 1.5),
            room_bytes=max(env.int("ROOM_BYTES", 4 << 10), 1),
            some=dict(entry for entry in env.list("SOME", SOME)),
            folder=env.str("FOLDER", find()),
            inner=Inner(tries=_number(env, "TRIES", 3)),
            key=env.str("KEY_SECRET"),
            where=place or None,
        )
'''


def module(folder: Path, text: str) -> ModuleType:
    path = folder / "made.py"
    path.write_text(text)
    made = ModuleType("made")
    made.__file__ = str(path)
    exec(compile(text, "made", "exec"), vars(made))
    return made


def test_variables_are_found_with_default_unit_and_meaning(tmp_path: Path) -> None:
    found = {variable.name: variable for variable in variables_of(module(tmp_path, SETTINGS))}
    assert found == {
        "PATIENCE": Variable("PATIENCE", "1.5", "Seconds of waiting, at most."),
        "ROOM_BYTES": Variable("ROOM_BYTES", "4096", "Room."),
        "SOME": Variable("SOME", "a,b", "Some of them."),
        "FOLDER": Variable("FOLDER", "computed", "By default where there is room."),
        "TRIES": Variable("TRIES", "3", "How often."),
        "KEY_SECRET": Variable("KEY_SECRET", None, "A key."),
        "WHERE": Variable("WHERE", "", "The place."),
    }
    units = {name: variable.unit for name, variable in found.items() if variable.unit}
    assert units == {"PATIENCE": "s", "ROOM_BYTES": "bytes"}


def test_a_variable_without_a_meaning_is_refused(tmp_path: Path) -> None:
    text = SETTINGS.replace('    """Room."""\n', "")
    with pytest.raises(Unreadable, match="room_bytes"):
        list(variables_of(module(tmp_path, text)))


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == page(), "run make configuration"


@pytest.mark.parametrize("part", PARTS)
def test_no_variable_is_read_that_is_not_found(part: str) -> None:
    """The text of the modules names every variable in capitals, whatever reads it."""
    for name in PARTS[part]:
        text = (ROOT / f"{name.replace('.', '/')}.py").read_text()
        read = {word for word in text.split('"') if word.isupper() and "_" in word}
        assert read <= {variable.name for variable in variables(part)}


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JWT_SECRET", "s3cret" * 8)
    monkeypatch.setenv("POSTGRES_URL", "postgres://user:s3cret@there/logs")
    monkeypatch.setenv("CACHE_TTL", "7")
    lines = list(effective(tmp_path / "absent"))
    assert "CACHE_TTL=7  # chosen" in lines
    assert "JWT_SECRET=********  # chosen" in lines
    assert "POSTGRES_URL=postgres://user:********@there/logs  # chosen" in lines
    assert "SESSION_TTL=7200" in lines
    assert "s3cret" not in "".join(lines)
