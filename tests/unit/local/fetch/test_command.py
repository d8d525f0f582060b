"""Programs that are run to their end, and their failures in one line."""

import os
import re
from pathlib import Path

import pytest

from local.fetch.command import UnavailableError, output


def test_the_standard_output_is_returned_alone() -> None:
    assert output(["sh", "-c", "echo answered; echo aside >&2"]) == "answered\n"


def test_folder_and_variables_are_the_programs(tmp_path: Path) -> None:
    said = output(["sh", "-c", "pwd; echo $WORD"], folder=tmp_path, environment={"WORD": "word"})
    assert said == f"{tmp_path.resolve()}\nword\n"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo first >&2; echo second >&2; echo third >&2; exit 1", "sh: second third"),
        ("echo out; echo >&2; exit 1", "sh: out"),
        ("echo progress; echo 'E: no package x' >&2; echo after >&2; exit 100", "sh: no package x"),
        ("echo warning >&2; echo ' error[E1]: here' >&2; echo after >&2; exit 1", "sh: error[E1]: here"),
        ("echo 'ERROR: no wheel' >&2; echo hint >&2; exit 1", "sh: ERROR: no wheel"),
        ("printf '\\377' >&2; exit 1", "sh: \N{REPLACEMENT CHARACTER}"),
        ("exit 1", "sh: failed without a message"),
    ],
)
def test_a_failure_is_one_line(script: str, message: str) -> None:
    with pytest.raises(UnavailableError, match=f"^{re.escape(message)}$"):
        output(["sh", "-c", script])


def test_the_message_names_the_program_and_its_subcommand() -> None:
    with pytest.raises(UnavailableError, match=r"^no-such-program build: "):
        output(["no-such-program", "build", "-v"])
    with pytest.raises(UnavailableError, match=r"^pip install: "):
        output(["no-such-program", "-m", "pip"], name="pip install")


def test_a_program_that_does_not_end_is_ended() -> None:
    with pytest.raises(UnavailableError, match=r"^sleep: did not end within 0\.1 s$"):
        output(["sleep", "60"], timeout=0.1, environment=os.environ)
