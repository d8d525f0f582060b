"""gunicorn in one process: the kernel ends it when it hangs."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from local.state import ROOT
from local.supervisor.ports import LOOPBACK, free_port, is_well
from tests.waiting import until

APP = """
def app(environ, start_response):
    while environ["PATH_INFO"] == "/hang":
        pass
    start_response("200 OK", [])
    return [b"well"]
"""
#: Seconds without a sign of life. The worker gives one each second.
TIMEOUT = 10


def test_a_process_that_hangs_is_ended(tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text(APP)
    port = free_port()
    options = ["--worker-class", "gevent", "--timeout", str(TIMEOUT), "--bind", f"{LOOPBACK}:{port}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "local.supervisor.alone", *options, "--chdir", str(tmp_path), "hanging:app"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
    )
    try:
        until(lambda: is_well(port, "/"), "it serves")
        connection = HTTPConnection(LOOPBACK, port, timeout=120)
        with suppress(OSError, HTTPException):
            connection.request("GET", "/hang")
            connection.getresponse()
        connection.close()
        assert process.wait(120) == -signal.SIGALRM
    finally:
        process.kill()
        process.wait()
