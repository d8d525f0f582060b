"""How a hostile script is described, and the frames around its few interesting lines."""

import platform
import textwrap
from dataclasses import dataclass
from functools import partial

SECCOMP = ("seccomp",)
FILES = ("landlock_files",)
LIMITS = ("limits",)
#: Signals, ptrace and TCP are refused by the filter of system calls, and by Landlock where the kernel's has them.
BOTH = ("seccomp", "landlock_files")

DEADLINE = "the deadline cannot be switched off"
OWN_PROCESS = "a process of its own cannot be switched off"
RESULTS = "what is taken for a result cannot be switched off"


@dataclass(frozen=True)
class Case:
    """One script that tries something forbidden and says how that went.

    `verdict` is what the confined run must end with (see `Answer.verdict`), `layers` those that stop it: with all
    of them off it must end with `unconfined`; with all but one of them off it must still be stopped. `watched` ones
    are (also) stopped by what watches memory, files and threads: they are run with generous limits too. Neither of
    both means that nothing can be switched off, `because` of a reason.
    """

    name: str
    language: str
    script: str
    verdict: str
    layers: tuple[str, ...] = ()
    watched: bool = False
    because: str = ""
    unconfined: str = "done"
    timeout_ms: int = 120_000

    def __post_init__(self) -> None:
        if self.switchable == bool(self.because):
            raise ValueError(f"{self.name}: name the layers, or the reason why there are none")

    @property
    def switchable(self) -> bool:
        """Whether what stops it can be switched off."""
        return bool(self.layers) or self.watched


def python(body: str) -> str:
    """A script that raises the kernel's error when it is refused."""
    return _PYTHON.replace("BODY", textwrap.indent(textwrap.dedent(body).strip(), "    ").lstrip())


def node(body: str) -> str:
    """A script that throws an error with a code when it is refused."""
    return _NODE.replace("BODY", textwrap.dedent(body).strip())


def _case(
    language: str,
    name: str,
    body: str,
    verdict: str,
    layers: tuple[str, ...] = (),
    because: str = "",
    watched: bool = False,
) -> Case:
    """A case of the usual form."""
    frame, pause = _FRAMES[language]
    script = frame(_held(body, pause) if watched else body)
    return Case(name, language, script, verdict, layers, watched, because)


def rust(body: str) -> str:
    """A script that ends with what was done, or with the error that refused it."""
    return _RUST.replace("BODY", textwrap.dedent(body).strip())


def number(name: str) -> int:
    """A system call's number on this machine."""
    x86_64, aarch64 = _NUMBERS[name]
    return x86_64 if platform.machine() == "x86_64" else aarch64


def _held(body: str, pause: str) -> str:
    """Holds what it took until the limits watcher has looked, for some of its turns."""
    return f"{textwrap.dedent(body).strip()}\n{pause}"


#: By language, what makes a script of a body, and what waits inside one.
_FRAMES = {
    "python": (python, "__import__('time').sleep(0.3)"),
    "nodejs": (node, "await new Promise((resolve) => setTimeout(resolve, 300));"),
}
python_case = partial(_case, "python")
node_case = partial(_case, "nodejs")

_PYTHON = """
import ctypes, errno, os

def call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    answer = libc.syscall(ctypes.c_long(number), *[
        ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if answer == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer

def attempt(params):
    BODY

def handle(params):
    try:
        attempt(params)
    except OSError as error:
        return {"refused": errno.errorcode[error.errno]}
    return {"done": True}
"""

_NODE = """
const attempt = async ({ params }) => {
BODY
};
module.exports = async (event) => {
  try {
    await attempt(event);
    return { done: true };
  } catch (error) {
    if (error.code === undefined) throw error;
    return { refused: error.code };
  }
};
"""

_RUST = """
#![allow(unused)]
use serde_json::{json, Map, Value};

fn attempt(params: &Value) -> Result<(), String> {
BODY
}

pub fn handler(context: Map<String, Value>) -> Result<Value, String> {
    match attempt(&context["params"]) {
        Ok(()) => Ok(json!({"done": true})),
        Err(reason) => Ok(json!({"refused": reason})),
    }
}
"""

_NUMBERS = {
    "bpf": (321, 280),
    "clone": (56, 220),
    "close_range": (436, 436),
    "exit": (60, 93),
    "inotify_init1": (294, 26),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "mount": (165, 40),
    "perf_event_open": (298, 241),
    "pidfd_open": (434, 434),
    "process_vm_readv": (310, 270),
    "ptrace": (101, 117),
    "rt_sigqueueinfo": (129, 138),
    "setsid": (112, 157),
    "shmget": (29, 194),
    "tkill": (200, 130),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "utimensat": (280, 88),
}
