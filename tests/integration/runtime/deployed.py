"""Packages of a deployment, in the folders that pip and npm create."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any


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
