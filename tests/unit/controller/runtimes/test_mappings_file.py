"""MappingsFile: what an entry matches, what stops the start, and what a change does."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from configuration.errors import UnusableSetting
from controller.models.registered import LanguageTitle
from controller.runtimes.mappings_file import MappingsFile
from tests.waiting import until_greenlets

GOOD = {"pattern": "python-", "runtime": "python"}


def write(folder: Path, *entries: object) -> Path:
    """The file, put in the place of the one before it in one step, as a careful operator does."""
    path, new = folder / "mappings.json", folder / "new.json"
    new.write_text(json.dumps(entries))
    new.replace(path)
    return path


def target(mappings: MappingsFile, title: str) -> str | None:
    language, _, rest = title.partition("-")
    return mappings.target(LanguageTitle(language, rest))


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[MappingsFile]:
    mappings = MappingsFile(write(tmp_path, GOOD), interval=0.01)
    mappings.start()
    yield mappings
    mappings.close()


def until_target(mappings: MappingsFile, title: str, expected: str | None) -> None:
    until_greenlets(lambda: target(mappings, title) == expected, "the file is read")


def test_the_first_entry_that_matches_decides(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"pattern": r"python-ml-\d+", "runtime": "http://gpu:8080/", "is_regex": True},
        {"pattern": "python-ml", "runtime": "python", "is_regex": False},
        {"pattern": "js-", "runtime": "nodejs"},
    )
    mappings = MappingsFile(path)
    assert target(mappings, "python-ml-12") == "http://gpu:8080"
    assert target(mappings, "python-ml-12b") == "python"
    assert target(mappings, "js-x") == "nodejs"
    assert target(mappings, "python-other") is None


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"runtime": "python"}, "pattern"),
        ({"pattern": "", "runtime": "python"}, "pattern"),
        ({"pattern": "a" * 257, "runtime": "python"}, "pattern"),
        ({"pattern": "(", "runtime": "python", "is_regex": True}, "pattern"),
        ({"pattern": "((a{0,1000}){0,1000}){0,9}", "runtime": "python", "is_regex": True}, "pattern"),
        ({"pattern": r"(a)\1", "runtime": "python", "is_regex": True}, "pattern"),
        ({"pattern": "a", "runtime": "ftp://x"}, "runtime"),
        ({"pattern": "a", "runtime": "http://"}, "runtime"),
        ({"pattern": "a", "runtime": ""}, "runtime"),
        ({"pattern": "a", "runtime": "python", "is_regex": "maybe"}, "is_regex"),
        ({"pattern": "a", "runtime": "python", "regex": True}, "regex"),
        ("python", "_schema"),
    ],
)
def test_a_bad_entry_is_named_in_one_line(tmp_path: Path, entry: object, reason: str) -> None:
    with pytest.raises(UnusableSetting) as refused:
        MappingsFile(write(tmp_path, GOOD, entry))
    assert str(refused.value).startswith("RUNTIME_MAPPINGS_FILE: entry 2: ")
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", ["{}", "[", "\xff", "[" * 100_000, json.dumps([GOOD] * 201)])
def test_a_file_that_is_no_list_of_entries_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mappings.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(UnusableSetting, match=r"^RUNTIME_MAPPINGS_FILE: .*mappings\.json"):
        MappingsFile(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableSetting, match="RUNTIME_MAPPINGS_FILE"):
        MappingsFile(tmp_path / "none.json")


def test_no_pattern_takes_long_for_a_long_title(tmp_path: Path) -> None:
    # Each of these takes a backtracking matcher longer than anybody waits.
    greedy = ["(a*)*b", "(a|aa)+b", "((a{0,100}){0,10})+b", "(.*){0,30}x" * 6, "(?:.{0,50}){0,15}z"]
    entries = [{"pattern": f"python-{pattern}", "runtime": "python", "is_regex": True} for pattern in greedy]
    mappings = MappingsFile(write(tmp_path, *entries))
    started = time.thread_time()
    assert target(mappings, "python-" + "a" * 121) is None
    assert time.thread_time() - started < 0.2


def test_a_change_takes_effect(tmp_path: Path, followed: MappingsFile) -> None:
    assert target(followed, "python-x") == "python"
    write(tmp_path, {"pattern": "python-", "runtime": "pypy"})
    until_target(followed, "python-x", "pypy")


def test_a_change_behind_a_link_takes_effect(tmp_path: Path) -> None:
    """As a mounted ConfigMap changes: the file is a link into a folder that is itself a link, turned elsewhere."""
    for name, runtime in (("one", "python"), ("two", "pypy")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, {"pattern": "python-", "runtime": runtime})
    (tmp_path / "data").symlink_to("one")
    (tmp_path / "link.json").symlink_to("data/mappings.json")
    mappings = MappingsFile(tmp_path / "link.json", interval=0.01)
    mappings.start()
    try:
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").replace(tmp_path / "data")
        until_target(mappings, "python-x", "pypy")
    finally:
        mappings.close()


def test_a_bad_new_version_leaves_the_old_one(
    tmp_path: Path, followed: MappingsFile, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, {"pattern": "(", "runtime": "pypy", "is_regex": True})
    until_greenlets(lambda: "entry 1" in caplog.text, "the file is refused")
    assert target(followed, "python-x") == "python"
    path.unlink()
    until_greenlets(lambda: caplog.text.count("RUNTIME_MAPPINGS_FILE") >= 2, "it is missed")
    assert target(followed, "python-x") == "python"
    write(tmp_path, {"pattern": "python-", "runtime": "pypy"})
    until_target(followed, "python-x", "pypy")


def test_a_file_that_stays_is_not_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    path = write(tmp_path, GOOD)
    mappings = MappingsFile(path, interval=0.01)
    mappings.start()
    os.utime(path, ns=(1, 1))
    until_greenlets(lambda: "1 entries" in caplog.text, "the file is read")
    gevent.sleep(0.1)
    mappings.close()
    assert caplog.text.count("1 entries") == 1
