"""The codes on artifacts, and the store."""

import os
from pathlib import Path

from runtime.languages.rust.artifacts import ArtifactStore, Seal

MODULE = b"\x00asm\x01\x00\x00\x00"
ENGINE = {"consume_fuel": True}


def test_a_sealed_module_opens_for_its_purpose_only() -> None:
    seal = Seal("secret")
    sealed = seal.sealed("one", MODULE)
    assert seal.opened("one", sealed) == MODULE
    assert seal.opened("two", sealed) is None
    assert Seal("another").opened("one", sealed) is None


def test_a_change_of_any_byte_is_detected() -> None:
    seal = Seal("secret")
    sealed = seal.sealed("one", MODULE)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        assert seal.opened("one", bytes(changed)) is None
    assert seal.opened("one", sealed[:-1]) is None
    assert seal.opened("one", b"") is None


def test_a_portable_artifact_is_found_by_script_and_options(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "rust", "secret", ENGINE)
    artifact = store.sign("hash", "options", MODULE)
    assert store.portable("hash", "options") is None
    store.keep_portable("hash", "options", artifact)
    assert ArtifactStore(tmp_path / "rust", "secret", ENGINE).portable("hash", "options") == artifact
    assert store.portable("hash", "others") is None
    assert ArtifactStore(tmp_path / "rust", "another", ENGINE).portable("hash", "options") is None


def test_the_code_is_a_section_that_ends_the_module(tmp_path: Path) -> None:
    artifact = ArtifactStore(tmp_path, "secret", ENGINE).sign("hash", "options", MODULE)
    section = artifact.removeprefix(MODULE)
    custom, length, name_length = section[:3]
    assert (custom, length, section[3 : 3 + name_length]) == (0, len(section) - 2, b"lambda.hmac")


def test_a_changed_serialized_module_is_not_returned(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "secret", ENGINE)
    path = store.keep_serialized(b"artifact", b"machine code")
    assert store.serialized(b"artifact") == path
    assert store.serialized(b"another") is None
    path.write_bytes(path.read_bytes().replace(b"code", b"c0de"))
    assert store.serialized(b"artifact") is None


def test_a_serialized_module_fits_only_its_engine(tmp_path: Path) -> None:
    ArtifactStore(tmp_path, "secret", ENGINE).keep_serialized(b"artifact", b"machine code")
    assert ArtifactStore(tmp_path, "secret", {"consume_fuel": False}).serialized(b"artifact") is None
    assert ArtifactStore(tmp_path, "secret", ENGINE).serialized(b"artifact") is not None


def test_only_the_files_used_last_are_kept(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "secret", ENGINE, max_files=10)
    for number in range(10):
        os.utime(store.keep_serialized(bytes([number]), b"module"), (number, number))
    assert store.serialized(bytes([0])) is not None  # which is a use
    store.keep_serialized(b"new", b"module")
    kept = [number for number in range(10) if store.serialized(bytes([number]))]
    assert kept == [0, *range(3, 10)]
    assert store.serialized(b"new") is not None
