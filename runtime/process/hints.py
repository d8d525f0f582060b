"""Says in one sentence what the confinement did not allow in a run, and what to use instead: `details.hint`.

Only what the service itself refuses gets a hint, and TypeScript that is more than types. It is derived from the
document of the error, which is untrusted. A worker may add `system` to it: `{"code": "EACCES", "syscall": "open",
"path": "/etc/shadow"}`, each member optional. Without it the facts are read from the texts of the language.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Allowed:
    """What a deployment allows its scripts.

    Attributes:
        language: The language, as in `Language-Title`.
        network: Whether internet sockets are open.
    """

    language: str = ""
    network: bool = False


class System(NamedTuple):
    """The refusal of the operating system that an error tells of; members that are unknown are empty."""

    code: str = ""
    syscall: str = ""
    path: str = ""


_FILES = (
    "{what}: scripts read and write files in their private folder only, which is the current one and empty at "
    "first; pass data in `params` and return it as the result."
)
_DISK = "The files of a script are limited, all together: write less, remove what is done with, or return it."
_NETWORK = (
    "Scripts have no network: let the caller fetch what is needed, pass it in `params`, and act on the result "
    "outside."
)
_PROCESSES = "Scripts start no processes and no other programs: use a library of the language instead."
_THREADS = "A script has a limited number of threads: use a smaller pool, or work in one thread."
_SHARED = (
    "Scripts share no memory and no locks between processes, because they have one process: use threads and their "
    "locks instead."
)
_SIGNALS = (
    "Scripts signal, trace and inspect no process but their own: return or raise to end a run, and use flags or "
    "events between threads."
)
_MEMORY = (
    "The memory of a script is limited: work on the data in parts, keep no copies, or have the operator raise "
    "{variable}."
)
_TERMINAL = "Scripts have no terminal and no standard input: pass data in `params`."
_BLOCKED = "{call} is closed to scripts, for they may not change the system around them: leave the call out."
_RUST_FILES = (
    "Rust scripts run as WebAssembly (WASI) without any files or folders: pass data in `params`, keep it in memory, "
    "and return it as the result."
)
_RUST_UNSUPPORTED = (
    "Rust scripts run as WebAssembly (WASI) without threads, sockets, processes and files: work in one thread with "
    "what `params` hold; clocks, sleeping and random hash seeds are there."
)
_RUST_ENVIRONMENT = "Rust scripts have no environment variables: pass settings in `params` or `context`."
_RUST_CRATES = (
    "Rust scripts may use `std`, `core`, `alloc` and `serde_json`, and no other crates: write what is missing into "
    "the script."
)
_RUST_UNSTABLE = (
    "Scripts are compiled as by a stable Rust: leave the unstable feature out, and use what is stable."
)
_MODULES = (
    "`{name}` is not installed here: scripts may import the standard library, packages that they declare, and those "
    "of the deployment (PACKAGES)."
)
_ONE_FILE = "A script is one file, so that there is no `{name}` beside it: put the code into the script."

#: What a script in TypeScript may have that is more than types, by the parser's words for it.
_TYPESCRIPT = (
    (
        re.compile(r"\benum\b"),
        "Types are stripped, so an enum has no values: use an object, `const Color = { Red: 0, Blue: 1 } as const`.",
    ),
    (
        re.compile(r"\bnamespace\b"),
        "Types are stripped, so a namespace holds only types: put values into an object, or at the top level.",
    ),
    (
        re.compile(r"\bparameter property\b"),
        "Types are stripped, so a parameter declares no property: declare it in the class (`private x: number;`) "
        "and assign it in the constructor (`this.x = x;`).",
    ),
    (
        re.compile(r"\bexport assignment\b"),
        "Types are stripped, so `export =` is no export: use `module.exports =` or `export default`.",
    ),
    (
        re.compile(r"\bimport equals\b"),
        "Types are stripped, so `import x = …` is no import: use `const x = require('…')` or `import x from '…'`.",
    ),
)
_TYPESCRIPT_OTHER = "Types are stripped and no code is made of them: write this part in JavaScript."
_TYPESCRIPT_CODE = "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX"

#: Longest name or path in a hint.
_MAX_NAME = 200
_CODES = {1: "EPERM", 2: "ENOENT", 11: "EAGAIN", 12: "ENOMEM", 13: "EACCES", 30: "EROFS", 38: "ENOSYS"}
_REFUSED = frozenset({"EACCES", "EPERM", "EROFS", "ENOSYS"})
_CALLS_BY_SUBJECT = {
    _NETWORK: "socket connect bind listen accept accept4 sendto sendmsg recvmsg getaddrinfo getnameinfo",
    _PROCESSES: "fork vfork execve execveat exec posix_spawn spawn clone clone3",
    _SIGNALS: "kill tgkill tkill killpg ptrace process_vm_readv process_vm_writev pidfd_open pidfd_send_signal",
    _SHARED: "shm_open shmget shmat semget sem_open msgget mq_open mlockall",
    _TERMINAL: "openpty posix_openpt",
}
_SUBJECTS = {call: subject for subject, calls in _CALLS_BY_SUBJECT.items() for call in calls.split()}

#: What libraries say in place of an error of the system.
_PHRASES = (
    (re.compile(r"can't start new thread"), _THREADS),
    (
        re.compile(r"^unable to open database file"),
        _FILES.format(what="The database's file cannot be opened"),
    ),
    (re.compile(r"^the script's files take more than|^the script wrote a file that is too large"), _DISK),
    (re.compile(r"out of pty devices|EOF when reading a line"), _TERMINAL),
)
_NO_ANSWER = re.compile(
    r"^fetch failed$|\[Errno -[235]\]|Temporary failure in name resolution|\bEAI_(?:AGAIN|NONAME|FAIL)\b|"
    r"\bquery[A-Z][A-Za-z]* E(?:CONNREFUSED|TIMEOUT)\b|\bgetHostByAddr E"
)
#: `[Errno 13] Permission denied: '/etc/x' -> 'y'`
_PYTHON_ERROR = re.compile(r"\[Errno (\d+)\][^:]*(?:: '([^']*)')?")
#: `EACCES: permission denied, open '/etc/x'`, `connect EACCES 1.1.1.1:80`, `spawnSync /bin/sh EAGAIN`, `kill EPERM`,
#: `ENOSYS, Function not implemented`, `uv_os_setpriority returned ENOSYS (function not implemented)`
_NODE_ERRORS = (
    re.compile(r"^(?P<code>E[A-Z]+): [^,]*, (?P<call>\w+)(?: '(?P<path>[^']*)')?"),
    re.compile(r"^(?P<call>[a-z]\w*) (?:[^\s]+ )?(?P<code>E[A-Z]+)\b"),
    re.compile(r"\buv_(?:os_)?(?P<call>\w+) returned (?P<code>E[A-Z]+)\b"),
    re.compile(r"^(?P<code>ENOSYS|EPERM), "),
)
_MISSING_MODULE = re.compile(r"(?:No module named|Cannot find module|Cannot find package) '([^']+)'")
#: Where the standard library of Python was when the system refused, in its stack trace: innermost match counts.
_PYTHON_PLACES = re.compile(
    r"(?P<network>socket\.|socket\.py|asyncio|http[/.]client|urllib)|(?P<shared>multiprocessing|shared_memory)|"
    r"(?P<processes>\bexec[vl]|subprocess|posix_spawn)|(?P<signals>kill)"
)
_SUBJECT_OF_PLACE = {
    "network": _NETWORK,
    "shared": _SHARED,
    "processes": _PROCESSES,
    "signals": _SIGNALS,
}

_RUST_PHRASES = (
    (re.compile(r"failed to find a pre-opened file descriptor|no filesystem on wasm"), _RUST_FILES),
    (re.compile(r"operation not supported on this platform"), _RUST_UNSUPPORTED),
    (re.compile(r"environment variable not found|`Err` value: NotPresent"), _RUST_ENVIRONMENT),
)
_RUST_UNSTABLE_FEATURE = re.compile(r"not in the list of allowed features|use of unstable library feature")
_RUST_MISSING_FILE = re.compile(r"file not found for module `([^`]+)`")
_RUST_MISSING_CRATE = re.compile(
    r"unresolved import `|can't find crate for `|undeclared crate or module `|unresolved module or unlinked crate `"
)


def hint(report: Mapping[str, Any], kind: str | None, allowed: Allowed) -> str | None:
    """Return what the confinement did not allow and what to use instead, or None if it refused nothing.

    Args:
        report: The error's document: `message`, `type`, `stack_trace` and `system`, as a worker reports them.
        kind: `details.kind` of the error; None for a script that does not load.
        allowed: What the deployment allows.
    """
    message = _text(report.get("message"))
    if kind == "memory_limit":
        variable = "WASM_MEMORY_MAX_BYTES" if allowed.language == "rust" else "MEMORY_MAX_BYTES"
        return _MEMORY.format(variable=variable)
    if kind == "process_limit":
        return _THREADS if "thread" in message else _PROCESSES
    if kind not in ("exception", None):
        return None
    if allowed.language == "rust":
        return _of_rust(message, kind)
    if kind is None and report.get("type") == _TYPESCRIPT_CODE:
        return next((text for words, text in _TYPESCRIPT if words.search(message)), _TYPESCRIPT_OTHER)
    return _of_module(report, message) or _of_system(report, message, allowed)


def _of_rust(message: str, kind: str | None) -> str | None:
    if kind is None:
        if _RUST_UNSTABLE_FEATURE.search(message):
            return _RUST_UNSTABLE
        if missing := _RUST_MISSING_FILE.match(message):
            return _ONE_FILE.format(name=missing[1][:_MAX_NAME])
        return _RUST_CRATES if _RUST_MISSING_CRATE.search(message) else None
    return next((text for phrase, text in _RUST_PHRASES if phrase.search(message)), None)


def _of_module(report: Mapping[str, Any], message: str) -> str | None:
    """Return the hint for an import of a module that is not there."""
    missing = _MISSING_MODULE.match(message)
    if missing is None or report.get("type") not in ("ModuleNotFoundError", "ImportError", "Error", None):
        return None
    name = missing[1][:_MAX_NAME]
    return (_ONE_FILE if name.startswith((".", "/", "file:")) else _MODULES).format(name=name)


def _of_system(report: Mapping[str, Any], message: str, allowed: Allowed) -> str | None:
    """Return the hint for what the operating system refused, as `system` or the texts tell."""
    for phrase, text in _PHRASES:
        if phrase.search(message):
            return text
    if _NO_ANSWER.search(message):
        return None if allowed.network else _NETWORK
    told = report.get("system")
    fact = _told(told) if isinstance(told, dict) else _read(message)
    return _of_fact(fact, _text(report.get("stack_trace")), allowed) if fact else None


def _told(system: Mapping[str, Any]) -> System:
    return System(*(_text(system.get(name)) for name in System._fields))


def _read(message: str) -> System | None:
    """Return the fact in the message of an error, or None if it is none of the system's."""
    if found := _PYTHON_ERROR.search(message):
        return System(_CODES.get(int(found[1]), ""), "", found[2] or "")
    for form in _NODE_ERRORS:
        if found := form.search(message):
            parts = found.groupdict()
            return System(parts["code"], parts.get("call") or "", parts.get("path") or "")
    return None


def _of_fact(fact: System, stack_trace: str, allowed: Allowed) -> str | None:
    # Names of calls as Node.js has them: `spawnSync`, `spawn /bin/sh`, `queryA`.
    call = fact.syscall.partition(" ")[0].removesuffix("Sync")
    if call.startswith("query") or fact.code.startswith("EAI_"):
        call = "getaddrinfo"
    subject = _SUBJECTS.get(call)
    if fact.code == "EAGAIN":
        return subject if subject is _PROCESSES else None
    if fact.code == "ENOMEM":
        return _MEMORY.format(variable="MEMORY_MAX_BYTES")
    if fact.code == "ENOENT":
        return _of_missing_file(fact, subject)
    if fact.code not in _REFUSED and call != "getaddrinfo":
        return None
    if subject is None and not fact.path:
        subject = _subject_of_place(stack_trace)
    if subject is _NETWORK and allowed.network and fact.code != "EACCES":
        return None  # an error of the network itself
    return subject or _of_refused_call(fact, call)


def _of_missing_file(fact: System, subject: str | None) -> str | None:
    """Return the hint for a file that is there on a developer's machine, and not in the script's private folder."""
    if not fact.path or subject is not None:
        return None
    return _FILES.format(what=f"`{fact.path[:_MAX_NAME]}` is not here")


def _of_refused_call(fact: System, call: str) -> str:
    if fact.code == "ENOSYS" or not fact.path:
        return _BLOCKED.format(call=f"The system call `{call[:_MAX_NAME]}`" if call else "This system call")
    if "psm_" in fact.path:
        return _SHARED
    return _FILES.format(what=f"`{fact.path[:_MAX_NAME]}` is closed to the script or leads out of its folder")


def _subject_of_place(stack_trace: str) -> str | None:
    """Return the subject of the innermost line of a stack trace that names one."""
    for line in reversed(stack_trace.splitlines()[:-1]):
        if found := _PYTHON_PLACES.search(line):
            return _SUBJECT_OF_PLACE[str(found.lastgroup)]
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
