"""A Rust runtime in this process, with real rustc, wasmtime and worker processes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.settings import Settings
from tests.integration.runtime.rust.served import RustRuntime

Serve = Callable[..., RustRuntime]


@pytest.fixture(scope="session")
def settings(rust_toolchain: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNTIME_SECRET", "integration-test-secret")
        patch.setenv("STATE_DIR", str(tmp_path_factory.mktemp("state")))
        patch.setenv("RUST_TOOLCHAIN", str(rust_toolchain))
        return Settings.from_environment()


@pytest.fixture(scope="session")
def rust(settings: Settings, compiled_state: Path) -> Iterator[RustRuntime]:
    """A runtime that all tests share which are not about compiling."""
    with RustRuntime(replace(settings, state=compiled_state)) as runtime:
        yield runtime


@pytest.fixture
def serve(settings: Settings, tmp_path: Path) -> Iterator[Serve]:
    """Starts runtimes with other settings and the same state folder, one after another."""
    started: list[RustRuntime] = []

    def start(**changes: object) -> RustRuntime:
        runtime = RustRuntime(replace(settings, **{"state": tmp_path, **changes}))  # type: ignore[arg-type]
        started.append(runtime)
        return runtime

    yield start
    for runtime in started:
        runtime.close()
