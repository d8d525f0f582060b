"""What was measured, and where."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from local.state import ROOT

_MODEL = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)
#: The packages whose versions bear on the figures.
PACKAGES = ("gunicorn", "gevent", "httptools", "hiredis", "redis", "Flask", "waitress", "wasmtime")


def facts() -> dict[str, object]:
    """Cores, kernel, CPU, Python and versions, the commit, and the time."""
    found = _MODEL.search(Path("/proc/cpuinfo").read_text())
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "cores": len(os.sched_getaffinity(0)),
        "cpu": found.group(1) if found else platform.processor(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def commit() -> str:
    """The checkout's, with a plus where files differ from it; empty where there is no git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip()
