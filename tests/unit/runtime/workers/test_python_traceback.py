"""Errors of Python scripts: what the system refused, beside the exception that the script raised."""

import linecache

import pytest

from runtime.workers.python_traceback import SCRIPT_FILE, script_error

CHAINED = "try:\n    open('/missing/a')\nexcept OSError as error:\n    raise ValueError from error\n"


@pytest.mark.parametrize(
    ("script", "system"),
    [
        ("open('/missing/a')", {"code": "ENOENT", "syscall": "open", "path": "/missing/a"}),
        ("__import__('os').mkdir('/proc/a')", {"code": "ENOENT", "syscall": "mkdir", "path": "/proc/a"}),
        ("import os\nos.fchdir(\n    1000\n)", {"code": "EBADF"}),
        ("import os\nos.kill(\n    os.getpid(),\n    999,\n)", {"code": "EINVAL", "syscall": "kill"}),
        ("raise PermissionError(1, 'no')", {"code": "EPERM"}),
        ("raise PermissionError('no')", None),
        (
            "import pathlib\npathlib.Path('/missing').read_text()",
            {"code": "ENOENT", "syscall": "open", "path": "/missing"},
        ),
        ("import socket\nraise socket.gaierror(socket.EAI_AGAIN, 'no')", {"code": "EAI_AGAIN"}),
        (CHAINED, {"code": "ENOENT", "syscall": "open", "path": "/missing/a"}),
        (CHAINED.replace(" from error", ""), {"code": "ENOENT", "syscall": "open", "path": "/missing/a"}),
        (
            "import urllib.request\nurllib.request.urlopen('file:///missing')",
            {"code": "ENOENT", "path": "/missing"},
        ),
        ("open(b'/missing')", {"code": "ENOENT", "syscall": "open"}),
        (
            "error = KeyError()\nerror.__context__ = ValueError()\nerror.__context__.__cause__ = error\nraise error",
            None,
        ),
        ("[].pop()", None),
    ],
)
def test_what_the_system_refused_is_told(script: str, system: dict[str, str] | None) -> None:
    linecache.cache[SCRIPT_FILE] = (len(script), None, script.splitlines(keepends=True), SCRIPT_FILE)
    with pytest.raises((OSError, ValueError, LookupError)) as caught:
        exec(compile(script, SCRIPT_FILE, "exec"), {})
    assert script_error(caught.value).answer["system"] == system
