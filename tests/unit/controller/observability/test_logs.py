"""The lines of requests, and the ids by which a request is found in every log."""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from select import PIPE_BUF
from typing import Any

import gevent
import pytest
from gevent.os import make_nonblocking, nb_read

from controller.observability.access_log import ACCESS, GATHERING, AccessLines
from controller.observability.correlation import CorrelationIds
from controller.observability.masking import MASK

FIELDS = {"http.request.method": "GET", "http.response.status_code": 200, "event.duration": 5}
PROCESS = """
import logging
from controller.observability.logs import configure
from controller.observability.access_log import LINES
from controller.observability.masking import DEFAULT_MASKER
configure("info", "all", DEFAULT_MASKER)
LINES.write(logging.INFO, "1", {})
LINES.write(logging.INFO, "2", {})
logging.getLogger("other").error("3")
LINES.write(logging.INFO, "4", {})
try:
    raise ValueError("5")
except ValueError:
    logging.getLogger("other").exception("5")
LINES.write(logging.INFO, "6", {})
"""


class Pipe:
    """Gives what was written in the pieces in which it was written."""

    def __init__(self) -> None:
        self._end, self.written = os.pipe2(os.O_DIRECT)
        make_nonblocking(self._end)

    def piece(self) -> bytes:
        with gevent.Timeout(60):
            return nb_read(self._end, 1 << 20)

    def close(self) -> None:
        os.close(self._end)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    os.close(made.written)


@pytest.fixture
def lines(pipe: Pipe) -> Iterator[AccessLines]:
    before = ACCESS.level
    ACCESS.setLevel(logging.INFO)
    yield AccessLines(pipe.written)
    ACCESS.setLevel(before)


def read(piece: bytes) -> list[dict[str, Any]]:
    assert piece.endswith(b"\n")
    return [json.loads(line) for line in piece.splitlines()]


def test_a_line_says_what_happened_and_comes_by_itself(lines: AccessLines, pipe: Pipe) -> None:
    lines.write(logging.INFO, "GET /health 200", FIELDS)
    (line,) = read(pipe.piece())
    assert line.pop("@timestamp").endswith("Z")
    assert line.pop("ecs.version")
    assert line == {
        **FIELDS,
        "message": "GET /health 200",
        "log.level": "info",
        "log.logger": "access",
        "event.dataset": "lambda.access",
        "service.name": "lambda-controller",
    }


def test_lines_of_a_moment_are_written_together_and_each_once(lines: AccessLines, pipe: Pipe) -> None:
    for number in range(3):
        lines.write(logging.INFO, str(number), FIELDS)
    assert [line["message"] for line in read(pipe.piece())] == ["0", "1", "2"]
    lines.write(logging.INFO, "3", FIELDS)
    assert [line["message"] for line in read(pipe.piece())] == ["3"]


def test_each_piece_gathers_for_the_whole_time(lines: AccessLines, pipe: Pipe) -> None:
    for _ in range(3):
        began = time.monotonic()
        lines.write(logging.INFO, "1", FIELDS)
        pipe.piece()
        assert time.monotonic() - began > GATHERING / 2


def test_a_piece_is_whole_lines_that_fit_one_write_to_a_pipe(lines: AccessLines, pipe: Pipe) -> None:
    for number in range(100):
        lines.write(logging.INFO, str(number), FIELDS)
    found: list[str] = []
    while len(found) < 100:
        piece = pipe.piece()
        assert len(piece) <= PIPE_BUF
        found += [line["message"] for line in read(piece)]
    assert found == [str(number) for number in range(100)]


def test_what_clients_choose_is_masked(lines: AccessLines, pipe: Pipe) -> None:
    fields = {
        "url.path": "/token=hunter2/\ud800",
        "http.request.id": "Bearer hunter2",
        "labels.call_id": "pwd: hunter2",
    }
    lines.write(logging.INFO, "GET /nowhere 404", fields)
    (line,) = read(pipe.piece())
    assert "hunter2" not in str(line)
    assert {name: MASK in line[name] for name in fields} == dict.fromkeys(fields, True)
    assert fields["labels.call_id"] == "pwd: hunter2"


def test_lines_without_a_reader_raise_no_error(lines: AccessLines, pipe: Pipe) -> None:
    pipe.close()
    lines.write(logging.INFO, "GET /health 200", FIELDS)
    lines.flush()


def test_lines_of_both_kinds_come_in_order_and_the_last_ones_at_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["message"] for line in lines] == ["1", "2", "3", "4", "5", "6"]
    assert lines[4]["error"]["type"] == "ValueError"


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64])
def test_a_request_id_is_kept(given: str) -> None:
    assert CorrelationIds.of({"HTTP_X_REQUEST_ID": given}).http_request_id == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "é"])
def test_an_unusable_request_id_is_replaced(given: str) -> None:
    first, second = (CorrelationIds.of({"HTTP_X_REQUEST_ID": given}).http_request_id for _ in range(2))
    assert given not in (first, second)
    assert first != second


def test_other_marks_are_passed_on_where_they_are_well_formed() -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    ids = CorrelationIds.of({"HTTP_X_CALL_ID": "7c9e-1", "HTTP_TRACEPARENT": traceparent})
    assert (ids.call_id, ids.traceparent) == ("7c9e-1", traceparent)


@pytest.mark.parametrize("given", ["", "x" * 200, "a b", "\xe9", "00-" + "G" * 32 + "-" + "b" * 16 + "-01\t"])
def test_other_marks_that_are_malformed_are_left_out(given: str) -> None:
    ids = CorrelationIds.of({"HTTP_X_CALL_ID": given, "HTTP_TRACEPARENT": given})
    assert (ids.call_id, ids.traceparent) == (None, None)


@pytest.mark.parametrize(("errors_only", "taken"), [(False, [True, True, True]), (True, [False, True, True])])
def test_lines_of_successes_are_left_out_on_demand(errors_only: bool, taken: list[bool]) -> None:
    lines = AccessLines(2)
    lines.errors_only = errors_only
    assert [lines.takes(logging.CRITICAL, status) for status in (200, 400, 500)] == taken
    assert not lines.takes(logging.NOTSET, 500), "a level below that of the service"
