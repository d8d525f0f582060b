"""Installs packages as docs/scripts.md tells a deployment to."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from local.fetch.command import output, pip

#: Ten of the packages, which tests run. Those of Python are among the wheels that `local.fetch.wheels` collects;
#: those of Node.js depend on no others.
SAMPLE = {
    "python": ("attrs", "cryptography", "jinja2", "msgspec", "pyyaml"),
    "nodejs": ("dayjs@1.11.23", "mustache@4.2.0", "semver@7.8.6", "uuid@14.0.3", "yaml@2.9.1"),
}


def install(
    language: str, packages: Sequence[str], folder: Path, *, node: str, wheels: Path | None = None
) -> None:
    """Make a folder that PACKAGES may name, in place of what is there.

    Args:
        language: `python` or `nodejs`.
        packages: their names, with versions or without.
        folder: where they go.
        node: the Node.js program; its npm lies in `lib` beside the program's folder.
        wheels: the only source of Python's packages; None: the index.

    Raises:
        UnavailableError: the installer failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if language == "python":
        source = ["--no-index", "--find-links", str(wheels)] if wheels else []
        pip("install", "--only-binary", ":all:", *source, "--target", str(folder), *packages)
    else:
        npm = Path(node).resolve().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
        output([node, str(npm), "install", *options, *packages], timeout=None, name="npm install")
