"""What the runtime says that scripts may import is what they can import."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.settings import Settings
from tests.integration.runtime.served import ServedRuntime, document

IMPORT_ALL = {
    "python": """
import importlib

def handle(params):
    failed = []
    for name in params["names"]:
        try:
            importlib.import_module(name)
        except Exception as error:
            failed.append(f"{name}: {error!r}")
    return failed
""",
    "nodejs": """
module.exports = ({ params }) => {
  const failed = [];
  for (const name of params.names) {
    try { require(name); } catch (error) { failed.push(`${name}: ${error}`); }
  }
  return failed;
};
""",
}
USUAL = {"python": {"json", "re", "sqlite3", "asyncio"}, "nodejs": {"fs", "crypto", "zlib", "fs/promises"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment's packages of both languages, as pip and npm lay them out."""
    folder = tmp_path_factory.mktemp("deployed")
    wheel = _wheel(folder.parent / "tiny_shapes-1.2.3-py3-none-any.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]
    subprocess.run([*pip, str(folder), wheel], check=True, timeout=60)
    (folder / "loose.py").write_text("VALUE = 7\n")
    (folder / "colorsys.py").write_text("raise ImportError('not this one')\n")
    modules = folder / "node_modules"
    _npm(
        modules / "tiny",
        {"version": "2.0.1", "main": "main.js"},
        **{"main.js": "module.exports = (x) => x * 2;"},
    )
    both = {"import": "./esm.mjs", "require": "./common.cjs"}
    _npm(
        modules / "@scope" / "dual",
        {"version": "0.3.0", "exports": both},
        **{"esm.mjs": "export const kind = 'module';", "common.cjs": "exports.kind = 'common';"},
    )
    only = {"version": "1.0.0", "type": "module", "exports": {"import": "./main.js"}}
    main = (
        "import { kind } from '@scope/dual'; import tiny from 'tiny'; export default () => [kind, tiny(21)];"
    )
    _npm(modules / "modern", only, **{"main.js": main})
    return folder


@pytest.fixture(scope="module")
def python(runtime_settings: Settings, folder: Path) -> Iterator[ServedRuntime]:
    with ServedRuntime("python", replace(runtime_settings, packages=(str(folder),))) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def nodejs(runtime_settings: Settings, folder: Path) -> Iterator[ServedRuntime]:
    with ServedRuntime("nodejs", replace(runtime_settings, packages=(str(folder),))) as runtime:
        yield runtime


@pytest.fixture(params=["python", "nodejs"])
def runtime(request: pytest.FixtureRequest) -> ServedRuntime:
    """Each of both in turn."""
    served: ServedRuntime = request.getfixturevalue(request.param)
    return served


def libraries(runtime: ServedRuntime) -> dict[str, Any]:
    answer = runtime.get("/libraries")
    assert answer.status_code == 200, answer.get_json()
    listed: dict[str, Any] = document(answer)
    assert listed["language"] == runtime.language
    return listed


def test_the_list_needs_the_secret(runtime: ServedRuntime) -> None:
    assert runtime.get("/libraries", **{"X-Runtime-Secret": "wrong"}).status_code == 401


def test_all_of_the_standard_library_that_is_listed_can_be_imported(runtime: ServedRuntime) -> None:
    names = libraries(runtime)["standard_library"]
    assert set(names) >= USUAL[runtime.language]
    assert not [name for name in names if name.startswith("_")]
    assert runtime.result(IMPORT_ALL[runtime.language], {"names": names}) == []


def test_the_version_is_that_of_the_program_that_runs_scripts(runtime: ServedRuntime) -> None:
    script = {
        "python": "import platform\nresult = platform.python_version()",
        "nodejs": "return process.versions.node;",
    }[runtime.language]
    assert libraries(runtime)["version"] == runtime.result(script)


def test_the_packages_of_the_deployment_are_listed_with_their_versions(runtime: ServedRuntime) -> None:
    expected = {
        "python": [{"name": "loose", "version": None}, {"name": "tiny-shapes", "version": "1.2.3"}],
        "nodejs": [
            {"name": "@scope/dual", "version": "0.3.0"},
            {"name": "modern", "version": "1.0.0"},
            {"name": "tiny", "version": "2.0.1"},
        ],
    }[runtime.language]
    assert libraries(runtime)["packages"] == expected


def test_without_folders_there_are_no_packages(interpreter: ServedRuntime) -> None:
    assert libraries(interpreter)["packages"] == []


def test_python_imports_packages_and_modules(python: ServedRuntime) -> None:
    script = "import loose, tiny_shapes\nresult = [loose.VALUE, tiny_shapes.square(3)]"
    assert python.result(script) == [7, 9]


def test_a_package_does_not_stand_in_for_the_standard_library(python: ServedRuntime) -> None:
    assert python.result("import colorsys\nresult = colorsys.rgb_to_hsv(0, 0, 0)") == [0, 0, 0]


def test_nodejs_requires_packages(nodejs: ServedRuntime) -> None:
    assert nodejs.result("return [require('tiny')(4), require('@scope/dual').kind];") == [8, "common"]


def test_nodejs_imports_packages_as_modules(nodejs: ServedRuntime) -> None:
    script = """
import modern from 'modern';
import { kind } from '@scope/dual';
import tiny from 'tiny';
import { basename } from 'node:path';

export default async () => [...modern(), kind, tiny(3), (await import('tiny')).default(4), basename('/a/b')];
"""
    assert nodejs.result(script) == ["module", 42, "module", 6, 8, "b"]
    assert nodejs.result("return (await import('@scope/dual')).kind;") == "module"


@pytest.mark.parametrize("name", ["absent", "./package.json", "@scope/dual/common.cjs"])
@pytest.mark.parametrize(
    "form", ["return require('NAME');", "import it from 'NAME'; export default () => it;"]
)
def test_nodejs_imports_nothing_else(nodejs: ServedRuntime, name: str, form: str) -> None:
    assert nodejs.failure(form.replace("NAME", name))["kind"] == "exception"


def test_nodejs_imports_no_file_by_its_address(nodejs: ServedRuntime, folder: Path) -> None:
    address = (folder / "node_modules" / "tiny" / "main.js").as_uri()
    assert nodejs.failure(f"return import('{address}');")["kind"] == "exception"


def _wheel(path: Path) -> Path:
    about = "tiny_shapes-1.2.3.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny_shapes/__init__.py", "def square(side):\n    return side * side\n")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-shapes\nVersion: 1.2.3\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        files = ["tiny_shapes/__init__.py", *(f"{about}/{name}" for name in ("METADATA", "WHEEL", "RECORD"))]
        wheel.writestr(f"{about}/RECORD", "".join(f"{name},,\n" for name in files))
    return path


def _npm(place: Path, about: dict[str, Any], **files: str) -> None:
    place.mkdir(parents=True)
    (place / "package.json").write_text(json.dumps({"name": place.name, **about}))
    for name, content in files.items():
        (place / name).write_text(content)
