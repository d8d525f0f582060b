"""Runtimes that tests share, one per language."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.languages import rust
from runtime.languages.rust.toolchain import Glue, Toolchain
from runtime.settings import MEBIBYTE, Settings
from tests.conftest import ROOT
from tests.integration.runtime.deployed import deploy
from tests.integration.runtime.served import ServedRuntime


@pytest.fixture(scope="session")
def runtime_settings(tmp_path_factory: pytest.TempPathFactory, node_program: str) -> Settings:
    """The default settings, with limits that are reached faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNTIME_SECRET", "integration-test-secret")
        patch.setenv("STATE_DIR", str(tmp_path_factory.mktemp("runtime-state")))
        patch.setenv("NODE", node_program)
        settings = Settings.from_environment()
    return replace(
        settings,
        memory_max_bytes=96 * MEBIBYTE,
        files_max_bytes=8 * MEBIBYTE,
        result_max_bytes=MEBIBYTE,
        output_max_bytes=4096,
    )


@pytest.fixture(scope="session")
def interpreters(runtime_settings: Settings) -> Iterator[dict[str, ServedRuntime]]:
    """A runtime of each interpreted language."""
    with (
        ServedRuntime("python", runtime_settings) as python,
        ServedRuntime("nodejs", runtime_settings) as nodejs,
    ):
        yield {"python": python, "nodejs": nodejs}


@pytest.fixture(params=["python", "nodejs"])
def interpreter(request: pytest.FixtureRequest, interpreters: dict[str, ServedRuntime]) -> ServedRuntime:
    """Each of them in turn."""
    return interpreters[request.param]


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that PACKAGES may name."""
    folder = tmp_path_factory.mktemp("packages")
    deploy(folder)
    return folder


@pytest.fixture(scope="session")
def packaged_python(runtime_settings: Settings, packages: Path) -> Iterator[ServedRuntime]:
    """Python with a deployment's packages."""
    with ServedRuntime("python", replace(runtime_settings, packages=(str(packages),))) as runtime:
        yield runtime


@pytest.fixture(scope="session")
def packaged_nodejs(runtime_settings: Settings, packages: Path) -> Iterator[ServedRuntime]:
    """Node.js with a deployment's packages."""
    with ServedRuntime("nodejs", replace(runtime_settings, packages=(str(packages),))) as runtime:
        yield runtime


@pytest.fixture(scope="session")
def typescript(runtime_settings: Settings) -> Iterator[ServedRuntime]:
    """The Node.js runtime, called for TypeScript."""
    with ServedRuntime("nodejs", runtime_settings, dialect="typescript") as runtime:
        yield runtime


@pytest.fixture(scope="session")
def compiled_state(rust_toolchain: Path) -> Path:
    """A state folder that outlives the run: what this compiler and our sources have compiled is there again."""
    digest = hashlib.sha256(str(Glue.place(Toolchain.load(rust_toolchain), rust_toolchain)).encode())
    for source in sorted(Path(rust.__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    kept = ROOT / ".local" / "rust-compiled" / digest.hexdigest()[:16]
    kept.mkdir(parents=True, exist_ok=True)
    for other in set(kept.parent.iterdir()) - {kept}:
        shutil.rmtree(other)
    return kept


@pytest.fixture(scope="session")
def rust_runtime(
    runtime_settings: Settings, rust_toolchain: Path, compiled_state: Path
) -> Iterator[ServedRuntime]:
    """Rust with a compiler."""
    settings = replace(runtime_settings, rust_toolchain=rust_toolchain, state=compiled_state)
    with ServedRuntime("rust", settings) as runtime:
        yield runtime
