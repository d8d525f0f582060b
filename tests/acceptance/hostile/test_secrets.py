"""What no script may get to see, wherever it looks in its own process, and what it may not make others believe."""

import re
import signal
from types import FrameType

import pytest

from tests.acceptance.hostile.cases import node, python, rust
from tests.acceptance.hostile.conftest import SECRET_VARIABLE, Runtimes, Target, check_clean, good
from tests.acceptance.hostile.served import until

#: Counts what matches in all of the memory of its process. The pattern does not match itself.
_SEARCH = """
import os, re
{planted}
def handle(params):
    found, pattern = 0, re.compile(params["pattern"].encode())
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            place, rights = line.split()[:2]
            start, end = (int(number, 16) for number in place.split("-"))
            if "r" in rights and end - start < 1 << 28 and start < 1 << 47:
                try:
                    memory.seek(start)
                    found += len(pattern.findall(memory.read(end - start)))
                except OSError:
                    continue
    return found
"""

_ENVIRONMENTS = {
    "python": """
import ctypes, os
def handle(params):
    block = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    variables = []
    while block[len(variables)]:
        variables.append(block[len(variables)].decode())
    own = [open(f"/proc/self/{name}").read() for name in ("environ", "cmdline")]
    return [variables, dict(os.environ), own]
""",
    "nodejs": """
const { readFileSync } = require("fs");
module.exports = async () => {
  const own = ["environ", "cmdline"].map((name) => readFileSync(`/proc/self/${name}`, "utf8"));
  return [process.env, process.argv, process.report.getReport(), own];
};
""",
    "rust": """
use serde_json::{json, Map, Value};
pub fn handler(_: Map<String, Value>) -> Result<Value, String> {
    Ok(json!([std::env::vars().collect::<Vec<_>>(), std::env::args().collect::<Vec<_>>()]))
}
""",
}

#: Prints what looks like the protocol's answer, and returns something else.
_FAKES = {
    "python": """
import sys
def handle(params):
    body = '{"id":2,"result":"faked"}'
    for stream in sys.stdout, sys.stderr:
        stream.write(chr(0) * 3 + chr(len(body)) + body)
    return "real"
""",
    "nodejs": """
module.exports = async () => {
  const body = '{"id":2,"result":"faked"}';
  process.stdout.write("\\0\\0\\0" + String.fromCharCode(body.length) + body);
  return "real";
};
""",
    "rust": """
use serde_json::{json, Map, Value};
pub fn handler(_: Map<String, Value>) -> Result<Value, String> {
    print!("\\0\\0\\0\\u{19}{{\\"id\\":2,\\"result\\":\\"faked\\"}}");
    Ok(json!("real"))
}
""",
}

#: Has the kernel signal a process of its choice whenever a pipe becomes readable.
_SIGNAL_BY_PIPE = python(
    """
    import fcntl, signal
    reading, writing = os.pipe()
    fcntl.fcntl(reading, 10, signal.SIGURG)
    fcntl.fcntl(reading, fcntl.F_SETOWN, params["front"])
    fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC)
    os.write(writing, b"x")
    """
)


def _pattern(text: str) -> str:
    """A regular expression for the text that does not match itself."""
    return f"{text[:-1]}[{text[-1]}]"


def test_memory_holds_neither_the_secret_nor_scripts_of_others(runtimes: Runtimes, target: Target) -> None:
    runtime = runtimes("python")
    theirs = target.secret[::-1]
    assert runtime.run(f"result = {theirs!r}", tenant="sibling").json["result"] == theirs
    for text in (target.secret, theirs):
        answer = runtime.run(_SEARCH.format(planted=""), {"pattern": _pattern(text)})
        assert answer.json["result"] == 0
    check_clean(runtimes, "python")


def test_memory_is_searched_where_a_secret_would_be(runtimes: Runtimes) -> None:
    planted = "planted-in-its-own-source"
    answer = runtimes("python").run(
        _SEARCH.format(planted=f"PLANTED = {planted!r}"), {"pattern": _pattern(planted)}
    )
    assert answer.json["result"] > 0


@pytest.mark.parametrize("language", _ENVIRONMENTS)
def test_environment_of_the_host_is_not_seen(language: str, runtimes: Runtimes, target: Target) -> None:
    answer = runtimes(language).run(_ENVIRONMENTS[language])
    assert answer.status == 200, answer.json
    assert target.secret not in str(answer.json)
    assert SECRET_VARIABLE not in str(answer.json)
    check_clean(runtimes, language)


@pytest.mark.parametrize("language", _FAKES)
def test_faked_result_in_the_output_changes_nothing(language: str, runtimes: Runtimes) -> None:
    answer = runtimes(language).run(_FAKES[language])
    assert answer.json["result"] == "real"
    assert "faked" in answer.json["stdout"]
    check_clean(runtimes, language)


@pytest.mark.parametrize("off", [(), ("seccomp",), ("landlock_files",)], ids=str)
def test_signal_by_a_pipe_reaches_the_front_only_without_landlock(
    off: tuple[str, ...], runtimes: Runtimes, target: Target
) -> None:
    heard: list[int] = []

    def hear(number: int, _: FrameType | None) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGURG, hear)
    try:
        answer = runtimes("python", off).run(_SIGNAL_BY_PIPE, {"front": target.front})
        assert re.fullmatch("done|refused EPERM", answer.verdict), answer.json
        if "landlock_files" in off:
            until(lambda: bool(heard), "the signal")
        assert bool(heard) == ("landlock_files" in off)
    finally:
        signal.signal(signal.SIGURG, before)


def test_prototypes_are_each_sessions_own(runtimes: Runtimes) -> None:
    runtime = runtimes("nodejs")
    polluting = node("Object.prototype.polluted = 'yes'; globalThis.polluted = 'yes';")
    assert runtime.run(polluting).verdict == "done"
    looking = "module.exports = async () => [{}.polluted ?? null, globalThis.polluted ?? null];"
    for tenant in ("t1", "sibling"):
        assert runtime.run(looking, tenant=tenant).json["result"] == [None, None]
    check_clean(runtimes, "nodejs")


def test_compiler_cannot_include_artifacts_of_others(runtimes: Runtimes) -> None:
    runtime = runtimes("rust")
    good(runtime, tenant="sibling")
    artifacts = [path for path in (runtime.settings.state / "rust").rglob("*") if path.is_file()]
    assert artifacts
    for artifact in artifacts:
        including = rust(f'let bytes = include_bytes!("{artifact}");\nErr(bytes.len().to_string())')
        assert runtime.run(including).verdict == "INITIALIZATION_ERROR", artifact.name
    check_clean(runtimes, "rust")
