"""Packages of a deployment, in the folders that pip and npm create."""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.languages import rust
from runtime.languages.rust.toolchain import Glue, Toolchain
from runtime.settings import MEBIBYTE, Settings
from tests.conftest import ROOT
from tests.integration.runtime.served import ServedRuntime


def deploy(folder: Path) -> None:
    """Fill a folder with what PACKAGES may name, for Python and for Node.js."""
    wheel = _wheel(folder.parent / "shapes-1.2.3-py3-none-any.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", str(folder), str(wheel)], check=True, timeout=60)
    (folder / "loose.py").write_text("VALUE = 7\n")
    (folder / "colorsys.py").write_text("raise ImportError('the standard library has this name')\n")
    modules = folder / "node_modules"
    _npm(
        modules / "twice",
        {"version": "2.0.1", "main": "main.js"},
        {"main.js": "module.exports = (x) => x * 2;"},
    )
    _npm(
        modules / "@scope" / "dual",
        {"version": "0.3.0", "exports": {"import": "./esm.mjs", "require": "./common.cjs"}},
        {"esm.mjs": "export const kind = 'module';", "common.cjs": "exports.kind = 'common';"},
    )
    main = "import { kind } from '@scope/dual'; import twice from 'twice'; export default () => [kind, twice(21)];"
    only = {"version": "1.0.0", "type": "module", "exports": {"import": "./main.js"}}
    _npm(modules / "modern", only, {"main.js": main})


def _wheel(path: Path) -> Path:
    about = "shapes-1.2.3.dist-info"
    files = {
        "shapes/__init__.py": "def square(side):\n    return side * side\n",
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: shapes\nVersion: 1.2.3\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{about}/RECORD"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
        wheel.writestr(record, "".join(f"{name},,\n" for name in (*files, record)))
    return path


def _npm(place: Path, about: dict[str, Any], files: dict[str, str]) -> None:
    place.mkdir(parents=True)
    (place / "package.json").write_text(json.dumps({"name": place.name, **about}))
    for name, content in files.items():
        (place / name).write_text(content)


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
