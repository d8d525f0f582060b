"""Bodies of scripts that do what ordinary libraries do, each with its result."""

import os
from pathlib import Path
from typing import Any

import gevent
import pytest

from runtime.settings import Settings
from tests.integration.runtime.served import ServedRuntime

#: By language and name: files of the private folder.
FILES: dict[str, dict[str, tuple[str, Any]]] = {
    "python": {
        "copy with times": (
            "os.utime('a', (5, 6)); shutil.copy2('a', 'b'); result = os.stat('b').st_mtime",
            6.0,
        ),
        "copy of a tree": (
            "os.mkdir('d'); shutil.copy('a', 'd'); shutil.copytree('d', 'e'); result = os.listdir('e')",
            ["a"],
        ),
        "move": ("shutil.move('a', 'b'); result = os.path.exists('a')", False),
        "mode": ("os.chmod('a', 0o640); result = os.stat('a').st_mode & 0o7777", 0o640),
        "mode by an absolute path": (
            "os.chmod(os.path.abspath('a'), 0o400); result = os.stat('a').st_mode & 0o777",
            0o400,
        ),
        "mode by a descriptor": (
            "os.fchmod(os.open('a', os.O_RDONLY), 0o755); result = os.stat('a').st_mode & 0o777",
            0o755,
        ),
        "mode by a folder's descriptor": (
            "os.chmod('a', 0o604, dir_fd=os.open('.', os.O_RDONLY)); result = os.stat('a').st_mode & 0o777",
            0o604,
        ),
        "mode through a link": (
            "os.symlink('a', 'l'); os.chmod('l', 0o600); result = os.stat('a').st_mode & 0o777",
            0o600,
        ),
        "mode of a missing file": (
            "\ntry:\n    os.chmod('none', 0o600)\nexcept FileNotFoundError:\n    result = 'missing'",
            "missing",
        ),
        "times to the nanosecond": (
            "os.utime('a', ns=(7, 1_000_000_009)); result = os.stat('a').st_mtime_ns",
            1_000_000_009,
        ),
        "times of a link": (
            "os.symlink('a', 'l'); os.utime('l', (1, 2), follow_symlinks=False); result = os.lstat('l').st_mtime",
            2.0,
        ),
        "file without a name": (
            "file = tempfile.TemporaryFile(); file.write(b'xy'); file.seek(0); result = len(file.read())",
            2,
        ),
        "locks": (
            "file = open('a', 'r+'); fcntl.flock(file, fcntl.LOCK_EX); fcntl.lockf(file, fcntl.LOCK_EX)\n"
            "result = 'held'",
            "held",
        ),
        "mapped file": (
            "\nwith open('a', 'r+b') as file, mmap.mmap(file.fileno(), 0) as mapped: mapped[0:1] = b'T'\n"
            "result = open('a').read()",
            "Text",
        ),
        "attributes are not supported": (
            "\ntry:\n    os.setxattr('a', 'user.x', b'')\nexcept OSError as error:\n    result = error.errno",
            95,
        ),
    },
    "nodejs": {
        "copy": ("fs.copyFileSync('a', 'b'); return fs.readFileSync('b', 'utf8');", "text"),
        "copy by clone": (
            "fs.copyFileSync('a', 'b', fs.constants.COPYFILE_FICLONE); return fs.readFileSync('b', 'utf8');",
            "text",
        ),
        "copy with times": (
            "fs.utimesSync('a', 5, 6); fs.cpSync('a', 'b', { preserveTimestamps: true });"
            "return fs.statSync('b').mtimeMs;",
            6000,
        ),
        "copy of a tree": (
            "fs.mkdirSync('d/e', { recursive: true }); fs.cpSync('d', 'f', { recursive: true });"
            "return fs.readdirSync('f');",
            ["e"],
        ),
        "mode": ("fs.chmodSync('a', 0o640); return fs.statSync('a').mode & 0o7777;", 0o640),
        "mode by a descriptor": (
            "fs.fchmodSync(fs.openSync('a'), 0o755); return fs.statSync('a').mode & 0o777;",
            0o755,
        ),
        "mode by a promise": (
            "await fs.promises.chmod('a', 0o600); return fs.statSync('a').mode & 0o777;",
            0o600,
        ),
        "times by a descriptor": (
            "fs.futimesSync(fs.openSync('a'), 3, 4); return fs.statSync('a').mtimeMs;",
            4000,
        ),
        "times of a link": (
            "fs.symlinkSync('a', 'l'); fs.lutimesSync('l', 3, 4); return fs.lstatSync('l').mtimeMs;",
            4000,
        ),
        "rename": ("fs.renameSync('a', 'b'); return fs.existsSync('a');", False),
        "temporary folder": (
            "const folder = fs.mkdtempSync(`${os.tmpdir()}/x`); fs.rmSync(folder, { recursive: true });"
            "return fs.existsSync(folder);",
            False,
        ),
    },
}

#: By language and name: threads, and what programs ask of the machine.
MACHINE: dict[str, dict[str, tuple[str, Any]]] = {
    "python": {
        "type of a file": ("result = mimetypes.guess_type('chart.png')[0]", "image/png"),
        "cores": ("result = os.cpu_count() >= len(os.sched_getaffinity(0)) >= 1", True),
        "cores of the process": ("result = os.sched_setaffinity(0, os.sched_getaffinity(0))", None),
        "load": ("result = len(os.getloadavg())", 3),
        "user": ("result = getpass.getuser() == os.getlogin() == pwd.getpwuid(os.getuid()).pw_name", True),
        "user by name": ("result = pwd.getpwnam(os.getlogin()).pw_dir == os.environ['HOME']", True),
        "home": ("result = pathlib.Path.home() == pathlib.Path.cwd()", True),
        "owner of a file": (
            "path = pathlib.Path('a'); result = [path.owner(), path.group()] == [os.getlogin()] * 2",
            True,
        ),
        "other users": (
            "\ntry:\n    pwd.getpwnam('root')\nexcept KeyError:\n    result = len(pwd.getpwall())",
            1,
        ),
        "language": ("result = locale.setlocale(locale.LC_ALL, '')", "C.UTF-8"),
        "time zone": ("result = zoneinfo.ZoneInfo('Europe/Berlin').key", "Europe/Berlin"),
        "pool of threads": ("result = multiprocessing.pool.ThreadPool(4).map(abs, [-1, 2])", [1, 2]),
        "pool of threads by another name": (
            "from multiprocessing.dummy import Pool; result = Pool(3).map(abs, [-3])",
            [3],
        ),
        "executor": (
            "result = list(concurrent.futures.ThreadPoolExecutor(16).map(abs, range(-40, 0)))[0]",
            40,
        ),
        "locks of processes": (
            "with multiprocessing.Lock(), multiprocessing.RLock(), multiprocessing.Semaphore(2) as taken:\n"
            "    result = taken",
            True,
        ),
        "queue of processes": (
            "queue = multiprocessing.Queue(); queue.put(5); result = queue.get(timeout=20)",
            5,
        ),
        "values of processes": ("result = list(multiprocessing.Array('i', [1, 2]))", [1, 2]),
        "forty threads": (
            "def wait(): time.sleep(0.3)\nthreads = [threading.Thread(target=wait) for _ in range(40)]\n"
            "for thread in threads: thread.start()\nresult = threading.active_count() > 40\n"
            "for thread in threads: thread.join()",
            True,
        ),
        "reserved address space": ("result = len(mmap.mmap(-1, 1 << 30, flags=0x4022))", 1 << 30),
    },
    "nodejs": {
        "network interfaces": ("return os.networkInterfaces();", {}),
        "import of network interfaces": ("return (await import('node:os')).networkInterfaces();", {}),
        "cores": ("return os.cpus().length >= 1 && os.availableParallelism() >= 1;", True),
        "model of a core": ("return typeof os.cpus()[0].model;", "string"),
        "load": ("return os.loadavg().length;", 3),
        "memory": ("return os.totalmem() > os.freemem();", True),
        "user": (
            "return os.userInfo().uid === process.getuid() && os.userInfo().homedir === os.homedir();",
            True,
        ),
        "user in bytes": ("return Buffer.isBuffer(os.userInfo({ encoding: 'buffer' }).username);", True),
        "user in a thread": (
            "const { Worker } = require('worker_threads');\n"
            "const source = \"require('worker_threads').parentPort.postMessage(require('os').userInfo().username)\";"
            "const thread = new Worker(source, { eval: true });\n"
            "return new Promise((resolve, reject) => thread.on('message', resolve).on('error', reject));",
            "script",
        ),
    },
}


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
