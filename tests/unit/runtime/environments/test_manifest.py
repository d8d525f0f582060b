"""What a manifest and the other parts may say: whoever made them is not trusted."""

import zlib
from typing import Any

import pytest

from runtime.environments.manifest import MANIFEST_MAX_BYTES, Manifest
from runtime.errors import InvalidRequest
from tests.environments import PIECE_BYTES, environment, parts_of

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def of(*paths: str, **more: Any) -> Manifest:
    """Return the manifest of empty files."""
    files = [[path, 0, EMPTY, 0] for path in paths]
    return Manifest.of(parts_of({"parts": 1, "files": files} | more).parts[0])


def test_folders_follow_from_the_files() -> None:
    manifest = of("a!b", "a/b/c", "a/b/d", "e", "f/g")
    assert manifest.folders == ("a", "a/b", "f")
    assert list(manifest.parts) == [0]


def test_a_part_has_the_bytes_of_its_files() -> None:
    contents = {"a": b"1" * (PIECE_BYTES - 1), "b": b"23", "c": b"", "d": b"4" * PIECE_BYTES}
    sent = environment(contents)
    manifest = Manifest.of(sent.parts[0])
    assert list(manifest.parts) == [0, 1, 2, 3]
    found = {path: bytearray(len(content)) for path, content in contents.items()}
    for part in (2, 3, 1):
        for file, place, content in manifest.pieces(part, sent.parts[part]):
            found[file.path][place : place + len(content)] = content
    assert found == contents
    assert manifest.disk_bytes > 2 * PIECE_BYTES


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "/etc/passwd",
            "../up",
            "a/../../up",
            "a/./b",
            "a//b",
            "a/",
            ".",
            "..",
            "a\0b",
            "a\\..\\b",
            "\ud800",
        ),
        *("n" * 256, "/".join("n" * 65), "/".join(["n" * 200] * 20)),
    ],
)
def test_a_path_that_is_not_plain_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        of(path)


@pytest.mark.parametrize(
    "paths",
    [("a", "a"), ("b", "a"), ("a", "a/b"), ("a/b", "a/b/c/d")],
    ids=["twice", "unsorted", "file and folder", "file and folder further down"],
)
def test_paths_that_do_not_fit_each_other_are_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest):
        of(*paths)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"parts": 1},
        {"parts": 2, "files": []},
        {"parts": 1, "files": [["a", 1, EMPTY, 0]]},
        {"parts": 2, "files": [["a", -1, EMPTY, 0]]},
        {"parts": 2, "files": [["a", 1.5, EMPTY, 0]]},
        {"parts": 1, "files": [["a", 0, EMPTY + "\n", 0]]},
        {"parts": 1, "files": [["a", 0, EMPTY.upper(), 0]]},
        {"parts": 1, "files": [["a", 0, EMPTY, 2]]},
        {"parts": 1, "files": [["a", 0, EMPTY, 0, "link"]]},
        {"parts": 1, "files": [["a", 0, EMPTY]]},
        {"parts": 1, "files": [], "more": 1},
        {"parts": 10**30, "files": []},
        {"parts": 2, "files": [["a", 10**30, EMPTY, 0]]},
    ],
    ids=str,
)
def test_a_manifest_of_another_form_is_refused(document: Any) -> None:
    with pytest.raises(InvalidRequest):
        Manifest.of(parts_of(document).parts[0])


def test_too_many_folders_are_refused() -> None:
    paths = sorted("/".join(["n", *f"{number:04}", *"deeper" * 9]) for number in range(2000))
    with pytest.raises(InvalidRequest):
        of(*paths)


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"no zlib",
        zlib.compress(b"\xff\xfe"),
        zlib.compress(b"[" * 100_000),
        zlib.compress(b'{"parts": 1, "files": []}') + b"more",
        zlib.compress(b'{"parts": 1, "files": []}')[:-1],
        zlib.compress(bytes(MANIFEST_MAX_BYTES + 1)),
    ],
    ids=["nothing", "no zlib", "no text", "nested", "more after it", "cut off", "a bomb"],
)
def test_a_part_that_is_no_manifest_is_refused(part: bytes) -> None:
    with pytest.raises(InvalidRequest):
        Manifest.of(part)


@pytest.mark.parametrize("content", [b"", b"12", b"1234", bytes(PIECE_BYTES * 16)], ids=len)
def test_a_part_of_another_length_is_refused(content: bytes) -> None:
    manifest = Manifest.of(environment({"a": b"123"}).parts[0])
    with pytest.raises(InvalidRequest):
        list(manifest.pieces(1, zlib.compress(content)))
