"""What is told of a run that failed: a worker's report is untrusted, and the confinement's refusals have hints."""

from typing import Any

import pytest

from runtime.process.failures import initialization_failure, script_failure
from runtime.process.hints import Allowed, hint

PYTHON = Allowed("python")
ODDITIES: list[Any] = [None, 1, "x", [], {}, {"message": 5}, {"line": "1", "column": True, "diagnostics": {}}]


@pytest.mark.parametrize("answer", ODDITIES)
def test_an_odd_failure_becomes_a_valid_error(answer: Any) -> None:
    error = script_failure(answer, "out", "err", PYTHON)
    assert error.message == "the script failed"
    assert error.details == {
        "kind": "exception", "type": None, "line": None, "column": None, "stack_trace": None,
        "stdout": "out", "stderr": "err",
    }  # fmt: skip


@pytest.mark.parametrize("answer", ODDITIES)
def test_an_odd_refusal_becomes_a_valid_error(answer: Any) -> None:
    error = initialization_failure(answer, "parse", PYTHON)
    diagnostic = {"message": error.message, "line": None, "column": None}
    assert error.details == {"stage": "parse", "line": None, "column": None, "diagnostics": [diagnostic]}


@pytest.mark.parametrize(
    ("told", "taken"),
    [("memory_limit", "memory_limit"), ("crashed", "exception"), ("x", "exception"), ([], "exception")],
)
def test_only_kinds_that_a_worker_can_know_are_accepted(told: Any, taken: str) -> None:
    assert script_failure({"message": "m", "kind": told}, "", "", PYTHON).details["kind"] == taken


def test_long_texts_and_lists_are_cut() -> None:
    error = initialization_failure(
        {"message": "m" * 1_000_000, "diagnostics": [{}] * 5000}, "compile", PYTHON
    )
    assert len(error.message) == 64 * 1024
    assert len(error.details["diagnostics"]) == 100


PYTHON, NODE, RUST = Allowed("python"), Allowed("nodejs"), Allowed("rust")
TRACE = "Traceback (most recent call last):\n{}\nPermissionError: [Errno 13] Permission denied\n"
DENIED = "[Errno 13] Permission denied"


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({"message": f"{DENIED}: '/etc/shadow'"}, "`/etc/shadow` is closed"),
        ({"message": f"{DENIED}: '/etc/hosts' -> 'mine'"}, "`/etc/hosts` is closed"),
        ({"message": "[Errno 2] No such file or directory: 'data.csv'"}, "`data.csv` is not here"),
        ({"message": "EACCES: permission denied, scandir '/root'"}, "`/root` is closed"),
        ({"message": "ENOENT: no such file or directory, open 'a b.txt'"}, "`a b.txt` is not here"),
        ({"message": "unable to open database file", "type": "OperationalError"}, "private folder"),
        ({"message": "the script's files take more than 9 bytes"}, "files of a script are limited"),
        ({"message": DENIED, "stack_trace": TRACE.format('File "/lib/socket.py", in f')}, "no network"),
        ({"message": DENIED, "stack_trace": TRACE.format("    os.execv('/bin/true', [])")}, "no processes"),
        ({"message": DENIED, "stack_trace": TRACE.format("multiprocessing/queues.py")}, "no locks"),
        ({"message": "<urlopen error [Errno -3] Temporary failure in name resolution>"}, "no network"),
        ({"message": "connect EACCES 10.0.0.1:80 - Local (undefined:undefined)"}, "no network"),
        ({"message": "getaddrinfo EAI_AGAIN example.org"}, "no network"),
        ({"message": "queryMx ECONNREFUSED example.org"}, "no network"),
        ({"message": "fetch failed", "type": "TypeError"}, "no network"),
        ({"message": "kill EPERM"}, "no process but their own"),
        ({"message": "spawn EACCES"}, "no processes"),
        ({"message": "ENOSYS: function not implemented, chmod '.'"}, "`chmod` is closed"),
        ({"message": "ENOSYS, Function not implemented"}, "This system call is closed"),
        ({"message": "[Errno 38] Function not implemented: 'x'"}, "This system call is closed"),
        ({"message": "[Errno 12] Cannot allocate memory"}, "MEMORY_MAX_BYTES"),
        ({"message": "EOF when reading a line", "type": "EOFError"}, "no standard input"),
        ({"message": "No module named 'numpy'", "type": "ModuleNotFoundError"}, "`numpy` is not installed"),
        ({"message": "Cannot find package 'zod' imported from x", "type": "Error"}, "`zod` is not installed"),
        ({"message": "Cannot find module './other'\nRequire stack:", "type": "Error"}, "A script is one file"),
    ],
    ids=lambda value: value["message"][:40] if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_the_confinement_refuses_has_a_hint(report: dict[str, Any], words: str) -> None:
    told = hint(report, "exception", PYTHON)
    assert told is not None
    assert words in told
    assert told.endswith(".")


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ({"code": "EACCES", "syscall": "open", "path": "/etc/shadow"}, "`/etc/shadow` is closed"),
        ({"code": "EACCES", "syscall": "connect"}, "no network"),
        ({"code": "EAGAIN", "syscall": "spawn ls"}, "no processes"),
        ({"code": "EPERM", "syscall": "tgkill"}, "no process but their own"),
        ({"code": "ENOSYS", "syscall": "ptrace"}, "no process but their own"),
        ({"code": "ENOSYS", "syscall": "shmget"}, "no locks"),
        ({"code": "ENOSYS", "syscall": "mount", "path": "/mnt"}, "`mount` is closed"),
        ({"code": "EAI_AGAIN", "syscall": "getaddrinfo"}, "no network"),
    ],
)
def test_the_workers_own_facts_count_before_the_text(system: dict[str, str], words: str) -> None:
    told = hint({"message": "wrapped by the script", "system": system}, "exception", NODE)
    assert words in (told or "")


@pytest.mark.parametrize(
    ("report", "kind"),
    [
        ({"message": "not today", "type": "ValueError"}, "exception"),
        ({"message": "you have no permission", "type": "PermissionError"}, "exception"),
        ({"message": "No module named in the settings", "type": "ValueError"}, "exception"),
        ({"message": "No module named 'x'", "type": "ValueError"}, "exception"),
        ({"message": "[Errno 17] File exists: 'a'"}, "exception"),
        ({"message": "EEXIST: file already exists, mkdir 'a'"}, "exception"),
        ({"message": "the result holds nan at /a"}, "result_not_json"),
        ({"message": "m", "system": {"code": ["EACCES"], "path": 5}}, "exception"),
        ({"message": "m", "system": "EACCES"}, "exception"),
        ({"message": None, "stack_trace": 5, "type": []}, "exception"),
    ],
)
def test_other_errors_have_no_hint(report: dict[str, Any], kind: str) -> None:
    assert hint(report, kind, PYTHON) is None


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            'failed to find a pre-opened file descriptor through which "/etc/passwd" could be opened',
            "any files",
        ),
        ("no filesystem on wasm", "any files"),
        (
            'Error { kind: Unsupported, message: "operation not supported on this platform" }',
            "without threads",
        ),
        ("environment variable not found", "no environment variables"),
        ("called `Result::unwrap()` on an `Err` value: NotPresent", "no environment variables"),
    ],
)
def test_rust_says_what_webassembly_lacks(message: str, words: str) -> None:
    assert words in (hint({"message": message}, "exception", RUST) or "")
    assert hint({"message": message}, "exception", PYTHON) is None


@pytest.mark.parametrize("kind", ["memory_limit", "process_limit"])
def test_a_broken_limit_has_a_hint_in_every_language(kind: str) -> None:
    assert all(hint({}, kind, allowed) for allowed in (PYTHON, NODE, RUST))


def test_limits_are_told_by_the_variable_of_the_language() -> None:
    told = [hint({}, "memory_limit", allowed) or "" for allowed in (PYTHON, RUST)]
    assert ["WASM_MEMORY" in text for text in told] == [False, True]


def test_an_open_network_is_not_called_closed() -> None:
    report = {"message": "getaddrinfo EAI_AGAIN example.org"}
    assert hint(report, "exception", Allowed("nodejs", network=True)) is None
    assert hint(report, "exception", NODE) is not None


def test_long_names_are_cut() -> None:
    told = hint({"message": f"{DENIED}: '/{'x' * 10_000}'"}, "exception", PYTHON)
    assert len(told or "") < 600
