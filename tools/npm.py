"""npm in a folder of this repository: the packages of its lock file, and the programs that they bring.

The registry is that of this machine's npm configuration; versions and hashes are those of the lock file.
"""

import os
from pathlib import Path

from local.fetch import node
from local.fetch.command import UnavailableError, output
from local.supervisor.managed_process import PartError


def install(folder: Path) -> None:
    """Install the packages of the folder's lock file, unless they are there. Raises UnavailableError."""
    lock = folder / "package-lock.json"
    # npm writes it when an installation is complete.
    mark = folder / "node_modules" / ".package-lock.json"
    if not mark.is_file() or mark.stat().st_mtime < lock.stat().st_mtime:
        run(folder, "ci", "--ignore-scripts")


def run(folder: Path, *arguments: str) -> str:
    """Run npm in the folder and return its standard output. Raises UnavailableError."""
    program = Path(node_program()).resolve()
    npm = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(program), str(npm)] if npm.is_file() else ["npm"]
    # The scripts of packages begin with `env node`.
    environment = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    return output([*command, *arguments], folder=folder, environment=environment, name=f"npm {arguments[0]}")


def node_program() -> str:
    """Return the Node.js program. Raises UnavailableError."""
    try:
        return node.program()
    except PartError as error:
        raise UnavailableError(str(error)) from error
