"""The program of a confined job that installs Python packages: `python -I -S -B python_job.py FOLDER COMMAND...`.

Runs the command, which installs into the folder, then compiles each module there to bytecode. A compiler reads a
module and runs nothing of it. Bytecode is an optimization: a module that does not compile stays as it is.

Standard library only: the job sees nothing else.
"""

import os
import py_compile
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

#: Folders of tests, which scripts do not import.
_NOT_COMPILED = frozenset({"test", "tests"})


def modules(folder: Path) -> list[Path]:
    """Return the modules below a folder, the largest first."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _NOT_COMPILED]
        found += [Path(place, name) for name in names if name.endswith(".py")]
    return sorted(found, key=lambda module: -module.lstat().st_size)


def compile_modules(files: list[Path], folder: Path) -> None:
    """Compile modules. Their names in the bytecode start in the folder, and no time of a file matters."""
    for file in files:
        # A hostile source may exhaust the compiler in several ways.
        with suppress(py_compile.PyCompileError, OSError, ValueError, RecursionError, MemoryError):
            py_compile.compile(
                str(file),
                dfile=str(file.relative_to(folder)),
                doraise=True,
                quiet=2,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )


def main() -> int:
    """Install and compile. Returns the command's status; 128 and the signal's number if one ended it."""
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    status = subprocess.run(command, check=False).returncode
    if status != 0 or not folder.is_dir():
        return status if status >= 0 else 128 - status
    found, processes = modules(folder), len(os.sched_getaffinity(0))
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            compile_modules(found[number::processes], folder)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
