"""Ordinary libraries work in the confinement: files, threads, and what they ask of the machine."""

import os
from pathlib import Path
from typing import Any

import gevent
import pytest

from runtime.settings import Settings
from tests.integration.runtime.ordinary_calls import FILES, MACHINE
from tests.integration.runtime.served import ServedRuntime

_FRAMES = {
    "python": "import concurrent.futures, fcntl, getpass, locale, mimetypes, mmap, multiprocessing.pool, os\n"
    "import pathlib, pwd, shutil, tarfile, tempfile, threading, time, zoneinfo\n"
    "for name in os.listdir('.'):\n"
    "    shutil.rmtree(name) if os.path.isdir(name) and not os.path.islink(name) else os.unlink(name)\n"
    "open('a', 'w').write('text')\n",
    "nodejs": "const fs = require('fs'), os = require('os');\n"
    "for (const name of fs.readdirSync('.')) fs.rmSync(name, { recursive: true });\n"
    "fs.writeFileSync('a', 'text');\n",
}


def run(interpreter: ServedRuntime, body: str) -> Any:
    return interpreter.result(_FRAMES[interpreter.language] + body)


CASES = [
    pytest.param(language, body, expected, id=f"{language}: {name}")
    for table in (FILES, MACHINE)
    for language, bodies in table.items()
    for name, (body, expected) in bodies.items()
]


@pytest.mark.parametrize(("interpreter", "body", "expected"), CASES, indirect=["interpreter"])
def test_ordinary_calls_work(interpreter: ServedRuntime, body: str, expected: object) -> None:
    assert run(interpreter, body) == expected


def test_a_file_outside_keeps_its_mode_and_times(interpreter: ServedRuntime, tmp_path: Path) -> None:
    outside = tmp_path / "kept"
    outside.write_text("kept")
    outside.chmod(0o644)
    os.utime(outside, (9, 9))
    attempt = {
        "python": "for change in (\n"
        "    lambda: os.chmod(PATH, 0o600), lambda: os.utime(PATH), lambda: os.chown(PATH, -1, -1)\n"
        "):\n"
        "    try: change()\n"
        "    except PermissionError as error: result = error.errno\n"
        "    else: raise AssertionError",
        "nodejs": "const changes = [() => fs.chmodSync(PATH, 0o600), () => fs.utimesSync(PATH, 1, 1)];\n"
        "const codes = changes.map((change) => {\n"
        "  try { return change(); } catch (error) { return error.errno; } });\n"
        "return codes[0] === codes[1] ? -codes[0] : codes;",
    }[interpreter.language]
    assert run(interpreter, attempt.replace("PATH", repr(str(outside)))) == 1
    assert (outside.stat().st_mode & 0o777, outside.stat().st_mtime) == (0o644, 9)


def test_a_flood_of_changes_leaves_others_served(interpreter: ServedRuntime) -> None:
    flood = {
        "python": "end = time.monotonic() + 0.5\ndef change():\n"
        "    while time.monotonic() < end: os.chmod('a', 0o600)\n"
        "threads = [threading.Thread(target=change) for _ in range(4)]\n"
        "for thread in threads: thread.start()\nfor thread in threads: thread.join()\nresult = 'done'",
        "nodejs": "const end = Date.now() + 500;\n"
        "while (Date.now() < end) await Promise.all([1, 2, 3, 4].map(() => fs.promises.chmod('a', 0o600)));\n"
        "return 'done';",
    }[interpreter.language]
    flooding = gevent.spawn(run, interpreter, flood)
    gevent.sleep(0)
    # A worker of its own: the fork server starts and confines it while it answers the flood.
    answer = run(interpreter, {"python": "result = 1", "nodejs": "return 1;"}[interpreter.language])
    assert (answer, flooding.ready()) == (1, False)
    assert flooding.get(timeout=60) == "done"


def test_a_call_that_a_signal_interrupts_is_made_again(runtime_settings: Settings) -> None:
    script = """
import os, signal, threading, time
def handle(params):
    open("a", "w").close()
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, False)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    for number in range(1000):
        os.chmod("a", 0o600 | number & 1)
    signal.setitimer(signal.ITIMER_REAL, 0)
    os.chmod("a", 0o644)
    return os.stat("a").st_mode & 0o777
"""
    with ServedRuntime("python", runtime_settings) as runtime:
        assert runtime.result(script) == 0o644
