"""The log of a function: one unbuffered line per record, with the id of the call."""

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.integration.openfaas.build import ROOT, TEMPLATE
from tests.integration.openfaas.conftest import GENERIC
from tests.integration.openfaas.served import Serve, Served
from tests.waiting import until

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture(scope="module")
def echo(serve: Serve) -> Iterator[Served]:
    with serve(GENERIC) as served:
        yield served


def lines(served: Served, pattern: str) -> list[str]:
    return [line for line in served.log.read_text().splitlines() if re.search(pattern, line)]


def get(served: Served, path: str, call_id: str, **query: str) -> requests.Response:
    return requests.get(f"{served.url}/{path}", params=query, headers={"X-Call-Id": call_id}, timeout=60)


def test_a_record_is_one_line_with_the_calls_id_and_print_is_unchanged(echo: Served) -> None:
    get(echo, "log", "one")

    until(lambda: "printed" in echo.log.read_text().splitlines(), "the print is there")
    (record,) = lines(echo, "in two")
    assert re.fullmatch(TIME + r" INFO echo one in two\\nlines", record)
    assert "too little" not in echo.log.read_text()


def test_an_exception_is_one_line_with_the_calls_id(echo: Served) -> None:
    get(echo, "raise", "two")
    with suppress(requests.exceptions.ChunkedEncodingError):
        get(echo, "fail-later", "three")

    until(lambda: len(lines(echo, "ValueError: as asked")) == 2, "both are there")
    first, second = lines(echo, "ValueError: as asked")
    assert re.match(TIME + r" ERROR \S+ two .*\\nTraceback .*handler\.py.*\\nValueError: as asked$", first)
    assert re.match(TIME + r" ERROR \S+ three .*\\nTraceback .*as asked, after a part$", second)


def test_lines_appear_during_their_calls_with_the_right_ids(echo: Served, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        for number in range(4):
            gate, begun = str(tmp_path / f"gate-{number}"), str(tmp_path / "begun")
            threads.submit(get, echo, "wait", f"call-{number}", gate=gate, begun=begun)
        until(lambda: len(lines(echo, "begun ")) == 4, "all have begun")
        assert lines(echo, "ended ") == []
        for number in (2, 0, 3, 1):
            (tmp_path / f"gate-{number}").touch()

    until(lambda: len(lines(echo, "ended ")) == 4, "all have ended")
    for number in range(4):
        assert len(lines(echo, rf" call-{number} (begun|ended) .*gate-{number}$")) == 2


def test_a_streams_lines_have_the_calls_id(echo: Served, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    get(echo, "stream", "four", gate=str(gate), closed=str(tmp_path / "closed"))

    until(lambda: lines(echo, " four the gate is open$") != [], "the line is there")


def test_a_line_of_200_kib_harms_nothing(echo: Served) -> None:
    answers = [get(echo, "log-long", "five").status_code for _ in range(3)]
    after = get(echo, "text", "six").status_code

    assert (answers, after) == ([200] * 3, 200)
    until(lambda: len(lines(echo, f" five {'x' * 200 * 1024}$")) == 3, "the records are whole")
    until(lambda: len(lines(echo, f"^{'y' * 200 * 1024}$")) == 3, "the prints are whole")


def test_gunicorns_lines_have_the_same_form_without_a_call_id(echo: Served) -> None:
    assert re.fullmatch(
        TIME + r" INFO gunicorn\.error - Booting worker with pid: \d+", lines(echo, "Booting")[0]
    )


@pytest.mark.parametrize(
    ("form", "line"),
    [("line", TIME + " INFO gunicorn.error - hello"), ("ecs", r'\{"@timestamp":.*"hello".*\}')],
)
def test_gunicorns_lines_have_the_chosen_form(form: str, line: str) -> None:
    program = (
        "import log_format, logging.config\n"
        f"logging.config.dictConfig(log_format.settings('info', '{form}'))\n"
        "logging.getLogger('gunicorn.error').info('hello')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT / "template" / TEMPLATE,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert re.fullmatch(line, done.stderr.strip())


def test_the_log_of_an_application_has_call_ids_too(serve: Serve, tmp_path: Path) -> None:
    with serve(GENERIC, variables={"CLOSED": str(tmp_path / "closed"), "LOG_LEVEL": "debug"}) as served:
        get(served, "any", "seven")
        requests.get(f"{served.url}/any", timeout=60)
        until(lambda: len(lines(served, "INFO echo")) == 2, "both calls are logged")

        assert len(lines(served, "echo seven called$")) == len(lines(served, "echo - called$")) == 1
