"""A function's log: what is kept, and what is told to those who follow."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import gevent
import pytest

from tools.faas_local import logs
from tools.faas_local.logs import Log, Query


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log" / "mine.log", "mine")


def texts(lines: Iterable[str]) -> list[str]:
    return [json.loads(line)["text"] for line in lines]


def test_it_outlives_its_reader_and_can_be_cut(log: Log, tmp_path: Path) -> None:
    for number in range(5):
        log.write(f"mine-{number % 2}", str(number))
    again = Log(tmp_path / "log" / "mine.log", "mine")

    assert texts(again.read(Query())) == ["0", "1", "2", "3", "4"]
    assert texts(again.read(Query(tail=2))) == ["3", "4"]
    assert texts(again.read(Query(instance="mine-1"))) == ["1", "3"]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert texts(again.read(Query(since=tomorrow))) == []


def test_a_message_has_what_faas_cli_reads(log: Log) -> None:
    log.write("mine-1", "grüß Gott")
    message = json.loads(next(log.read(Query())))
    assert datetime.fromisoformat(message.pop("timestamp")) <= datetime.now(UTC)
    assert message == {"name": "mine", "namespace": "openfaas-fn", "instance": "mine-1", "text": "grüß Gott"}


def test_a_follower_gets_all_lines_until_the_function_is_removed(log: Log) -> None:
    log.write("mine-1", "before")
    lines = log.read(Query(follow=True))
    assert texts([next(lines)]) == ["before"]
    log.write("mine-1", "meanwhile")
    log.write("mine-1", "later")
    assert texts([next(lines)]) == ["meanwhile"]
    log.remove()
    assert texts(lines) == ["later"]
    log.write("mine-1", "from beyond")
    assert list(log.read(Query())) == []


def test_a_reader_that_is_too_slow_is_dropped(log: Log) -> None:
    lines = log.read(Query(follow=True, instance="nobody"))
    reader = gevent.spawn(list, lines)
    gevent.sleep(0)
    for number in range(logs.BACKLOG + 1):
        log.write("mine-1", str(number))
    assert reader.get(timeout=60) == []


def test_a_long_log_begins_a_new_file_and_keeps_one(log: Log, tmp_path: Path) -> None:
    line = "x" * (logs.FILE_BYTES // 2)
    for number in range(7):
        log.write("mine-1", f"{number}{line}")
    kept = texts(log.read(Query()))
    assert [text[0] for text in kept] == ["4", "5", "6"]
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == ["mine.log", "mine.log.1"]
