"""Rust scripts can use exactly the crates that the runtime lists."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.languages.rust.toolchain import Toolchain
from runtime.settings import Settings
from tests.integration.runtime.rust.served import HEAD, SIGNATURE
from tests.integration.runtime.served import ServedRuntime, document


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[ServedRuntime]:
    with ServedRuntime("rust", settings) as runtime:
        yield runtime


def using(*crates: str) -> str:
    declared = "".join(f"extern crate {crate};\n" for crate in crates)
    return f"{HEAD}{declared}{SIGNATURE}{{ let _ = context; Ok(json!(1)) }}\n"


def test_listed_crates_can_be_used(served: ServedRuntime, rust_toolchain: Path) -> None:
    listed = document(served.get("/libraries"))
    assert listed["version"] in Toolchain.load(rust_toolchain).version
    (package,) = listed["packages"]
    assert package["name"] == "serde_json"
    assert package["version"].startswith("1.")
    assert served.result(using(*listed["standard_library"], package["name"])) == 1


@pytest.mark.parametrize("crate", ["serde", "rand"])
def test_crates_that_are_not_listed_cannot_be_used(served: ServedRuntime, crate: str) -> None:
    error = document(served.prepare(using(crate)))["error"]
    assert error["code"] == "INITIALIZATION_ERROR"
    assert crate in error["message"]


def test_without_a_compiler_no_crates_are_listed(settings: Settings, tmp_path: Path) -> None:
    with ServedRuntime("rust", replace(settings, rust_toolchain=None, state=tmp_path)) as runtime:
        listed = document(runtime.get("/libraries"))
    assert listed == {"language": "rust", "version": None, "standard_library": [], "packages": []}
