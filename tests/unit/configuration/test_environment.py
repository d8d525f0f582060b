"""The sources of a variable's text, and which one takes precedence."""

from pathlib import Path

import pytest

from configuration.environment import Environment
from configuration.errors import UnusableSetting

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
