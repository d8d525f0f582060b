"""docs/configuration.md, .env.example and `make config`: every variable, current, with no secret."""

from pathlib import Path

import pytest

from local.state import ROOT
from tools.docs.configuration import effective, example, page


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == page(), "run make configuration"


def test_the_example_is_current() -> None:
    assert (ROOT / ".env.example").read_text() == example(), "run make configuration"


@pytest.mark.parametrize(
    "row",
    [
        "| `CACHE_TTL` | `3600` | s | a whole number of at least 1 | Lifetime of a cached result, in seconds. |",
        "| `BODY_MAX_BYTES` | `8388608` (8 MiB) | bytes | a whole number of at least 1 | Largest request body,",
        "| `SPOOL_DIR` | the system's temporary folder |  | a path |",
        "| `JWT_ISSUER` | unset |  | a text |",
        "| `RUNTIME_SECRET` | required |  | a text of at least 16 characters |",
        "| `PACKAGES` | empty |  | a list separated by commas, each entry an existing folder |",
    ],
)
def test_a_row_has_default_unit_range_and_meaning(row: str) -> None:
    assert row in page()


def test_the_values_in_effect_have_their_secrets_masked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SESSION_TTL", raising=False)
    monkeypatch.setenv("JWT_SECRET", "s3cret" * 8)
    monkeypatch.setenv("POSTGRES_URL", "postgres://user:s3cret@there/logs")
    monkeypatch.setenv("CACHE_TTL", "7")
    lines = list(effective(tmp_path / "absent"))
    assert "CACHE_TTL=7  # set" in lines
    assert "JWT_SECRET=********  # set" in lines
    assert "POSTGRES_URL=postgres://user:********@there/logs  # set" in lines
    assert "SESSION_TTL=7200" in lines
    assert "s3cret" not in "".join(lines)


def test_the_file_of_defaults_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SESSION_TTL", raising=False)
    dotenv = tmp_path / ".env"
    dotenv.write_text("SESSION_TTL=60\n")
    assert "SESSION_TTL=60  # set" in effective(dotenv)
