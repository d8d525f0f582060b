"""Hostile scripts in Python that reach for other processes and for the network.

What they do is bounded, and signals are 0: a hole must do no harm.
"""

from tests.acceptance.hostile.cases import BOTH, FILES, SECCOMP, Case, number, python, python_case


def _call(name: str, arguments: str, refusal: str = "ENOSYS") -> Case:
    """A system call; any answer of the kernel's own but the filter's means that it was reached."""
    body = f"""
    try:
        call({number(name)}, {arguments})
    except OSError as error:
        if error.errno == errno.{refusal}:
            raise
    """
    return Case(f"call of {name}", "python", python(body), f"refused {refusal}", SECCOMP)


def _trace(name: str) -> Case:
    """Attaches without stopping the other, and lets go again."""
    ptrace = number("ptrace")
    body = f"""
    call({ptrace}, 0x4206, params["{name}"], 0, 0)
    call({ptrace}, 0x4207, params["{name}"], 0, 0)
    os.waitpid(params["{name}"], 0x40000000)
    call({ptrace}, 17, params["{name}"], 0, 0)
    """
    return python_case(f"ptrace of the {name}", body, "refused ENOSYS", BOTH)


PROCESSES = [
    python_case(
        "fork bomb",
        """
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
        """,
        "refused EAGAIN",
        SECCOMP,
    ),
    python_case("program", "import subprocess; subprocess.run(['/bin/true'])", "refused EAGAIN", BOTH),
    python_case(
        "shell", "if os.system('true') != 0: raise OSError(errno.EAGAIN, 'no shell')", "refused EAGAIN", BOTH
    ),
    python_case(
        "program in place of the worker",
        """
        body = b'{"id":2,"result":{"done":true}}'
        with open("frame", "wb") as file:
            file.write(len(body).to_bytes(4, "big") + body)
        os.dup2(3, 1)
        os.execv("/bin/cat", ["cat", "frame"])
        """,
        "refused EACCES",
        FILES,
    ),
    python_case(
        "daemon",
        """
        pid = os.fork()
        if pid == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 4)
                __import__("time").sleep(5)
            os._exit(0)
        os.waitpid(pid, 0)
        """,
        "refused EAGAIN",
        SECCOMP,
    ),
    python_case(
        "threads",
        """
        import threading
        threading.stack_size(32768)
        end = threading.Event()
        threads = [threading.Thread(target=end.wait, args=(20,), daemon=True) for _ in range(200)]
        try:
            for thread in threads:
                thread.start()
            end.wait(0.3)
        except RuntimeError:
            raise OSError(errno.EAGAIN, "no thread")
        finally:
            end.set()
        """,
        "refused EAGAIN|RUNTIME_ERROR process_limit",
        watched=True,
    ),
    Case(
        "threads, uncaught",
        "python",
        """
import threading
def handle(params):
    end = threading.Event()
    for _ in range(60):
        threading.Thread(target=end.wait, args=(20,), daemon=True).start()
    end.wait(0.3)
    return {"done": True}
""",
        "RUNTIME_ERROR process_limit",
        watched=True,
    ),
    _trace("parent"),
    _trace("sibling"),
    python_case("signal to the parent", "os.kill(params['parent'], 0)", "refused EPERM", BOTH),
    python_case("signal to the front", "os.kill(params['front'], 0)", "refused EPERM", BOTH),
    python_case("signal to a sibling", "os.kill(params['sibling'], 0)", "refused EPERM", BOTH),
    python_case("signal to a sibling's group", "os.killpg(params['sibling'], 0)", "refused EPERM", BOTH),
    # Landlock lets no signal through here, and yet the kernel reports success.
    python_case("signal to everybody", "os.kill(-1, 0)", "refused EPERM", SECCOMP),
    python_case("handle of the parent", "os.pidfd_open(params['parent'])", "refused ENOSYS", SECCOMP),
    python_case(
        "parent-death signal",
        """
        if ctypes.CDLL(None, use_errno=True).prctl(1, 0, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
        """,
        "refused EPERM",
        SECCOMP,
    ),
    python_case(
        "own limits",
        """
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        except ValueError:  # so Python calls it when it is not permitted
            raise OSError(errno.EPERM, "not permitted")
        """,
        "refused (EPERM|ENOSYS)",
        SECCOMP,
    ),
    python_case(
        "limits of a sibling",
        "import resource; resource.prlimit(params['sibling'], resource.RLIMIT_NOFILE)",
        "refused EPERM",
        SECCOMP,
    ),
    python_case("priority", "os.nice(1)", "refused EPERM", SECCOMP),
    python_case(
        "cores of a sibling",
        "os.sched_setaffinity(params['sibling'], os.sched_getaffinity(0))",
        "refused EPERM",
        SECCOMP,
    ),
    _call("setsid", ""),
    # A thread with separate descriptors; the kernel answers that the last two flags exclude each other.
    _call("clone", "0x10000 | 0x800 | 0x100 | 0x200 | 0x20000, 0, 0, 0, 0", refusal="EAGAIN"),
    _call("tkill", "params['parent'], 0"),
    _call("rt_sigqueueinfo", "params['parent'], 0, None"),
    _call("process_vm_readv", "params['parent'], None, 0, None, 0, 0"),
    _call("memfd_create", "b'hidden', 0"),
    _call("io_uring_setup", "4, ctypes.create_string_buffer(120)"),
    _call("userfaultfd", "1"),
    _call("unshare", "0x400"),
    _call("mount", "None, None, None, 0, None"),
    _call("bpf", "0, None, 0"),
    _call("keyctl", "0, -3, 0"),
    _call("perf_event_open", "None, 0, -1, -1, 0"),
    _call("inotify_init1", "0"),
    _call("shmget", "0, 4096, 0o600"),
]

SOCKETS = [
    python_case("IPv4 socket", "import socket; socket.socket(socket.AF_INET)", "refused EACCES", SECCOMP),
    python_case(
        "IPv6 socket",
        """
        import socket
        try:
            socket.socket(socket.AF_INET6)
        except OSError as error:
            if error.errno != errno.EAFNOSUPPORT:
                raise
        """,
        "refused EACCES",
        SECCOMP,
    ),
    python_case(
        "TCP connection",
        "import socket; socket.create_connection(('127.0.0.1', params['port']), 5)",
        "refused EACCES",
        BOTH,
    ),
    python_case(
        "TCP server", "import socket; socket.create_server(('127.0.0.1', 0))", "refused EACCES", BOTH
    ),
    python_case(
        "UDP datagram",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
        "refused EACCES",
        SECCOMP,
    ),
    python_case(
        "raw socket",
        """
        import socket
        try:
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        except OSError as error:
            if error.errno != errno.EPERM:  # what the kernel says who reaches it without the capability
                raise
        """,
        "refused EACCES",
        SECCOMP,
    ),
    python_case(
        "netlink socket", "import socket; socket.socket(socket.AF_NETLINK, 3)", "refused EACCES", SECCOMP
    ),
    python_case(
        "UNIX connection",
        "import socket; socket.socket(socket.AF_UNIX).connect(params['unix'])",
        "refused EACCES",
        SECCOMP,
    ),
    python_case(
        "abstract UNIX connection",
        "import socket; socket.socket(socket.AF_UNIX).connect('\\0' + params['abstract'])",
        "refused EACCES",
        BOTH,
    ),
    python_case(
        "abstract UNIX name",
        "import socket; socket.socket(socket.AF_UNIX).bind('\\0hostile' + str(os.getpid()))",
        "refused EACCES",
        SECCOMP,
    ),
    python_case(
        "pair of datagram sockets",
        "import socket; socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
        "refused EACCES",
        SECCOMP,
    ),
]

CASES = [*PROCESSES, *SOCKETS]
