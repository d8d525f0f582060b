"""A function that `faas-cli new` made from the template, in its two forms."""

import runpy
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


@pytest.fixture
def echo(serve: Serve) -> Iterator[Served]:
    with serve(GENERIC) as served:
        yield served


def test_a_handler_may_return_text_json_nothing_and_bytes(echo: Served) -> None:
    answers = {
        path: requests.get(f"{echo.url}/{path}", timeout=10)
        for path in ("text", "list", "dict", "none", "binary", "number")
    }

    assert {answer.status_code for answer in answers.values()} == {200}
    assert answers["text"].content.decode() == "grüß Gott"
    assert answers["text"].headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answers["list"].json() == [1, "two", None]
    assert answers["dict"].json() == {"answer": 42}
    assert answers["none"].content == b""
    assert answers["binary"].content == bytes(range(256))
    assert answers["binary"].headers["Content-Type"] == "application/octet-stream"
    assert answers["number"].json() == 7


def test_a_handler_may_say_status_headers_and_body(echo: Served) -> None:
    answer = requests.get(f"{echo.url}/full", timeout=10)

    assert (answer.status_code, answer.text) == (201, "a,b")
    assert (answer.headers["X-Kind"], answer.headers["Content-Type"]) == ("full", "text/csv")


def test_the_event_tells_all_of_the_request(echo: Served) -> None:
    # In chunks and without a length, as the watchdog hands bodies on.
    chunks = iter([b"x" * 70_000, b"y" * 30_000])
    answer = requests.put(
        f"{echo.url}/some/path?a=1&b=two", data=chunks, headers={"X-Probe": "seen"}, timeout=10
    )

    assert answer.json() == {
        "method": "PUT",
        "path": "/some/path",
        "query": {"a": "1", "b": "two"},
        "header": "seen",
        "bytes": 100_000,
    }


def test_an_exception_is_answered_500_and_logged_and_the_function_goes_on(echo: Served) -> None:
    failed = requests.get(f"{echo.url}/raise", timeout=10)
    after = requests.get(f"{echo.url}/text", timeout=10)

    assert (failed.status_code, after.status_code) == (500, 200)
    until(lambda: "ValueError: as asked" in echo.log.read_text(), "the traceback is in the log")


def test_it_is_ready_when_the_handler_is_loaded_and_not_before(serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    served = serve(GENERIC, variables={"GATE": str(gate)})
    served.lock.touch()  # as a killed server leaves it
    served.start()
    try:
        until(lambda: not served.lock.exists(), "the old lock is removed")
        early = served.ready()
        gate.touch()
        until(served.ready, "it is ready")
        status = requests.get(f"{served.url}/text", timeout=10).status_code
    finally:
        served.stop()

    assert (early, status) == (False, 200)


def test_when_gunicorn_is_killed_the_process_ends_with_an_error(echo: Served) -> None:
    assert echo.process is not None
    with suppress(requests.ConnectionError):
        requests.get(f"{echo.url}/exit", timeout=10)

    assert echo.process.wait(20) != 0


def test_an_orderly_end_is_quick_and_leaves_nothing(echo: Served) -> None:
    status = echo.stop()

    assert status == 0
    assert not echo.lock.exists()


def test_an_application_is_served_as_it_is_and_closed_at_the_end(serve: Serve, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    with serve(GENERIC, variables={"CLOSED": str(closed)}) as served:
        text = requests.get(f"{served.url}/any/path", timeout=10).text
        assert not closed.exists()

    assert (text, closed.read_text()) == ("from the application", "closed")


def test_at_its_end_an_application_is_told_before_what_runs_is_waited_for(
    serve: Serve, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    with serve(GENERIC, variables={"CLOSED": str(closed)}) as served, ThreadPoolExecutor(1) as threads:
        call = threads.submit(requests.get, f"{served.url}/until-drained", timeout=10)
        until(closed.with_suffix(".busy").exists, "the call is under way")
        assert served.stop() == 0

    assert (call.result().status_code, call.result().text) == (200, "from the application")
    assert closed.read_text() == "closed"


@pytest.mark.parametrize(
    ("exec_timeout", "seconds"), [("40s", 40), ("1m30s", 90), ("1h", 3600), ("1500ms", 1), ("45", 45)]
)
def test_an_end_waits_as_long_as_a_call_may_take(
    exec_timeout: str, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("exec_timeout", exec_timeout)
    conf = runpy.run_path(str(ROOT / "template" / TEMPLATE / "gunicorn_conf.py"))
    assert conf["graceful_timeout"] == seconds + 3


def test_a_handler_that_cannot_be_loaded_ends_the_start(serve: Serve) -> None:
    served = serve(GENERIC, variables={"BROKEN": "1"})
    process = served.start()
    try:
        status = process.wait(20)
    finally:
        if process.poll() is None:
            served.stop()

    assert status != 0
    assert "broken as asked" in served.log.read_text()
