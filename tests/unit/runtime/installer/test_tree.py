"""What of an installed folder becomes an environment."""

import os
from pathlib import Path

import pytest

from runtime.installer.jobs import Overflow, usage
from runtime.installer.tree import Walk


def test_links_that_stay_inside_become_copies_and_others_are_dropped(tmp_path: Path) -> None:
    root = tmp_path / "site"
    (root / "package" / "data").mkdir(parents=True)
    (root / "package" / "data" / "one.txt").write_text("one")
    (tmp_path / "secret.txt").write_text("secret")
    links = {
        "file": "package/data/one.txt",
        "folder": "package/data",
        "package/data/circle": "..",
        "out": "../secret.txt",
        "whole": str(tmp_path),
        "self": ".",
        "broken": "missing",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    tree = Walk(root, "", 100).tree()

    assert [file.path for file in tree.files] == ["file", "folder/one.txt", "package/data/one.txt"]
    assert sorted(tree.dropped) == [
        "broken: it cannot be read",
        "folder/circle: a link to a folder that it is in",
        "out: a link out of the environment",
        "package/data/circle: a link to a folder that it is in",
        "pipe: it is no file",
        "self: a link out of the environment",
        "whole: a link out of the environment",
    ]


def test_programs_and_start_files_are_dropped_at_the_top_alone(tmp_path: Path) -> None:
    for path in ("bin/tool", "start.pth", ".lock", "model/bin/x", "model/weights.pth", "line\nbreak"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    python, nodejs = Walk(tmp_path, "", 100).tree(), Walk(tmp_path, "node_modules/", 100).tree()

    assert [file.path for file in python.files] == ["model/bin/x", "model/weights.pth"]
    assert sorted(python.dropped) == [
        "bin: programs are not installed",
        "line\nbreak: its name is not portable",
        "start.pth: it would run code at the start",
    ]
    assert "node_modules/bin/tool" in {file.path for file in nodejs.files}


def test_links_cannot_multiply_files_without_end(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "file").touch()
    for level in range(1, 20):
        (tmp_path / str(level)).mkdir()
        for name in ("a", "b"):
            (tmp_path / str(level) / name).symlink_to(f"../{level - 1}")

    with pytest.raises(Overflow, match="100 files"):
        Walk(tmp_path, "", 100).tree()


def test_a_file_with_two_names_is_used_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(1000))
    (tmp_path / "two").hardlink_to(tmp_path / "one")

    assert usage(tmp_path) == (1000.0, 1.0)


def test_a_link_in_the_place_of_the_folder_has_no_files(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").touch()
    (tmp_path / "site").symlink_to("elsewhere")

    assert Walk(tmp_path / "site", "", 100).tree().files == []
