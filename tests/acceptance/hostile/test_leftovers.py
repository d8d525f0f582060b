"""What scripts leave: output without measure or cut off, work after their answer, and folders hard to remove."""

import re
from pathlib import Path

import pytest

from tests.acceptance.hostile.cases import python
from tests.acceptance.hostile.conftest import Runtimes, Target, check_clean
from tests.acceptance.hostile.served import until

#: 256 MiB between two words, twice what a script's memory may be.
_FLOODS = {
    "python": """
def handle(params):
    print("first")
    line = "x" * 65535
    for _ in range(4096):
        print(line)
    print("last")
    return "done"
""",
    "nodejs": """
const { writeSync } = require("fs");
module.exports = async () => {
  writeSync(1, "first\\n");
  const line = Buffer.alloc(65536, "x");
  for (let count = 0; count < 4096; count += 1) {
    for (let rest = line; rest.length; rest = rest.subarray(writeSync(1, rest)));
  }
  writeSync(1, "last\\n");
  return "done";
};
""",
    "rust": """
use serde_json::{json, Map, Value};
pub fn handler(_: Map<String, Value>) -> Result<Value, String> {
    println!("first");
    let line = "x".repeat(65535);
    for _ in 0..4096 { println!("{}", line); }
    println!("last");
    Ok(json!("done"))
}
""",
}

_INTERRUPTED = {
    "python": "print('before')\nwhile True: pass\n",
    "nodejs": "console.log('before'); for (;;);",
    "rust": """
use serde_json::{Map, Value};
pub fn handler(_: Map<String, Value>) -> Result<Value, String> {
    println!("before");
    loop { std::thread::yield_now() }
}
""",
}

#: Answers its process's number immediately and leaves work behind, for some seconds.
_BUSY_AFTERWARDS = {
    "python": """
import os, threading, time
def spin():
    end = time.monotonic() + 10
    while time.monotonic() < end: pass
def handle(params):
    threading.Thread(target=spin, daemon=True).start()
    return os.getpid()
""",
    "nodejs": """
module.exports = async () => {
  const end = Date.now() + 10_000;
  const spin = () => Date.now() < end && setImmediate(spin);
  spin();
  return process.pid;
};
""",
}


@pytest.mark.parametrize("language", _FLOODS)
def test_output_without_end_keeps_head_and_tail(language: str, runtimes: Runtimes) -> None:
    answer = runtimes(language).run(_FLOODS[language])
    assert answer.verdict == "result done"
    printed = answer.json["stdout"]
    assert printed.startswith("first\n")
    assert printed.endswith("last\n")
    assert "bytes left out" in printed
    assert len(printed) < 70 * 1024
    check_clean(runtimes, language)


@pytest.mark.parametrize("language", _INTERRUPTED)
def test_output_before_a_timeout_is_returned(language: str, runtimes: Runtimes) -> None:
    answer = runtimes(language).run(_INTERRUPTED[language], timeout_ms=500)
    assert answer.verdict == "TIMEOUT"
    assert answer.json["error"]["details"]["stdout"] == "before\n"
    check_clean(runtimes, language)


@pytest.mark.parametrize("language", _BUSY_AFTERWARDS)
def test_worker_does_nothing_between_calls(language: str, runtimes: Runtimes) -> None:
    pid = runtimes(language).run(_BUSY_AFTERWARDS[language]).json["result"]
    until(lambda: _is_at_rest(pid), "the worker to be stopped or killed")
    check_clean(runtimes, language)


def _is_at_rest(pid: int) -> bool:
    """Whether the process is stopped, or has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in {"T", "Z", "X"}


_DEEP = python(
    """
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    """
)

#: 96 MiB below a path that is too long to be named as a whole.
_FAR_AWAY = python(
    """
    for _ in range(18):
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
    for count in range(6):
        with open(str(count), "wb") as file:
            for _ in range(16):
                file.write(bytes(1 << 20))
    __import__("time").sleep(0.3)
    """
)

_NOT_TO_BE_ENTERED = python(
    """
    os.mkdir("closed")
    open("closed/file", "w").close()
    os.fchmod(os.open("closed", os.O_RDONLY), 0)
    """
)


_FULL_OF_LINKS = python(
    """
    os.symlink(params["outside"], "link")
    os.symlink(params["outside"] + "/kept.txt", "file")
    os.mkdir("folder")
    os.symlink(params["outside"], "folder/link")
    os.symlink("/proc/self/root", "folder/root")
    __import__("time").sleep(0.3)
    """
)


@pytest.mark.parametrize("script", [_DEEP, _NOT_TO_BE_ENTERED], ids=["deep", "not to be entered"])
def test_folder_is_removed_with_its_worker(script: str, runtimes: Runtimes) -> None:
    runtime = runtimes("python")
    before = set(runtime.folders())
    answer = runtime.run(script, isolation="execution")
    assert re.fullmatch(r"done|refused \w+|RUNTIME_ERROR exception", answer.verdict), answer.json
    check_clean(runtimes, "python")
    until(lambda: len(set(runtime.folders()) - before) <= len(runtime.workers()), "the folder to be removed")


def test_files_far_down_count(runtimes: Runtimes) -> None:
    answer = runtimes("python").run(_FAR_AWAY, isolation="execution")
    assert answer.verdict == "RUNTIME_ERROR exception", answer.json
    check_clean(runtimes, "python")


def test_what_links_lead_to_is_neither_counted_nor_removed(runtimes: Runtimes, target: Target) -> None:
    (target.outside / "large").write_bytes(bytes(runtimes("python").settings.files_max_bytes + 1))
    before = _modes(target.outside)
    answer = runtimes("python").run(_FULL_OF_LINKS, {"outside": str(target.outside)}, isolation="execution")
    assert answer.verdict == "done", answer.json
    check_clean(runtimes, "python")
    assert _modes(target.outside) == before


def _modes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mode for path in (folder, *folder.iterdir())}
