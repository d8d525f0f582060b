"""Hostile scripts in Python that reach for files of others: their content, and their modes, times and owners."""

from tests.acceptance.hostile.cases import BOTH, FILES, SECCOMP, Case, number, python_case

CONTENTS = [
    python_case("read /etc/passwd", "open('/etc/passwd').read()", "refused EACCES", FILES),
    python_case("read by a relative path", "open('../' * 20 + 'etc/passwd').read()", "refused EACCES", FILES),
    python_case(
        "read by /proc/self/root", "open('/proc/self/root/etc/passwd').read()", "refused EACCES", FILES
    ),
    python_case("list /", "os.listdir('/')", "refused EACCES", FILES),
    python_case("list /proc", "os.listdir('/proc')", "refused EACCES", FILES),
    python_case("read of init", "open('/proc/1/cmdline').read()", "refused EACCES", FILES),
    python_case(
        "environment of init",
        "open('/proc/1/environ').read()",
        "refused EACCES",
        because="it is another user's in a plain container, and the kernel refuses it anyway",
    ),
    python_case(
        "environment of the front",
        "open(f'/proc/{params[\"front\"]}/environ').read(1)",
        "refused EACCES",
        FILES,
    ),
    python_case(
        "environment of the parent",
        "open(f'/proc/{params[\"parent\"]}/environ').read(1)",
        "refused EACCES",
        FILES,
    ),
    python_case(
        "memory of the parent", "open(f'/proc/{params[\"parent\"]}/mem', 'rb')", "refused EACCES", FILES
    ),
    python_case(
        "memory of a sibling", "open(f'/proc/{params[\"sibling\"]}/mem', 'r+b')", "refused EACCES", FILES
    ),
    python_case(
        "descriptor of a sibling", "open(f'/proc/{params[\"sibling\"]}/fd/1', 'wb')", "refused EACCES", FILES
    ),
    python_case(
        "read of another session", "open(params['private'] + '/private.txt').read()", "refused EACCES", FILES
    ),
    python_case("list of another session", "os.listdir(params['private'])", "refused EACCES", FILES),
    python_case("list of all sessions", "os.listdir('..')", "refused EACCES", FILES),
    python_case(
        "write to another session", "open(params['private'] + '/mine', 'w')", "refused EACCES", FILES
    ),
    python_case("write outside", "open(params['outside'] + '/mine', 'w')", "refused EACCES", FILES),
    python_case("folder outside", "os.mkdir(params['outside'] + '/folder')", "refused EACCES", FILES),
    python_case(
        "truncate outside", "os.truncate(params['outside'] + '/kept.txt', 4)", "refused EACCES", FILES
    ),
    python_case(
        "write to shared memory",
        "open('/dev/shm/hostile', 'w'); os.unlink('/dev/shm/hostile')",
        "refused EACCES",
        FILES,
    ),
    python_case(
        "write through a symbolic link",
        """
        os.symlink(params["outside"], "way-out")
        open("way-out/through", "w").close()
        """,
        "refused EACCES",
        FILES,
    ),
    python_case(
        "hard link of a file outside",
        "os.link(params['outside'] + '/kept.txt', 'mine')",
        "refused (EACCES|EXDEV)",
        FILES,
    ),
    python_case(
        "move out of the folder",
        "open('mine', 'w').close(); os.rename('mine', params['outside'] + '/moved')",
        "refused (EACCES|EXDEV)",
        FILES,
    ),
    python_case(
        "change of a package", "open(params['package'] + '/shared.py', 'a')", "refused EACCES", FILES
    ),
    python_case("device", "os.mknod('device', 0o600 | 0o10000)", "refused EPERM", SECCOMP),
    python_case(
        "our package by its path",
        """
        import sys
        sys.path.insert(0, params["repository"])
        try:
            import runtime.sandbox.syscalls
        except ImportError:
            raise OSError(errno.EACCES, "no such module")
        """,
        "refused EACCES",
        FILES,
    ),
    python_case(
        "our package by its name",
        """
        for name in "runtime", "runtime.sandbox.confine", "runtime.workers.protocol", "controller":
            try:
                __import__(name)
            except ImportError:
                continue
            return
        raise OSError(errno.ENOENT, "no such module")
        """,
        "refused ENOENT",
        because="the fork server forgets where our modules lie before it forks",
    ),
]


def _stopped(name: str, body: str, refusal: str = "EPERM") -> Case:
    return python_case(name, body, f"refused {refusal}", SECCOMP)


_KEPT = "params['outside'] + '/kept.txt'"

MODES = [
    _stopped("mode of a file outside", f"os.chmod({_KEPT}, 0o600)"),
    _stopped("mode by a relative path", f"os.chmod(os.path.relpath({_KEPT}), 0o600)"),
    _stopped("mode of the folder above", "os.chmod('..', 0o700)"),
    _stopped("mode of another session's file", "os.chmod(params['private'] + '/private.txt', 0o600)"),
    _stopped("mode through a symbolic link", f"os.symlink({_KEPT}, 'link'); os.chmod('link', 0o600)"),
    _stopped(
        "mode through a link to a folder",
        "os.symlink(params['outside'], 'way-out'); os.chmod('way-out/kept.txt', 0o600)",
    ),
    python_case(
        "mode through a hard link",
        f"os.link({_KEPT}, 'mine'); os.chmod('mine', 0o600)",
        "refused (EACCES|EXDEV)",
        FILES,
    ),
    _stopped("mode by /proc/self/root", f"os.chmod('/proc/self/root' + {_KEPT}, 0o600)"),
    python_case(
        "mode by a sibling's current folder",
        "os.chmod(f'/proc/{params[\"sibling\"]}/cwd/private.txt', 0o600)",
        "refused EPERM",
        BOTH,
    ),
    _stopped(
        "mode by a descriptor without access",
        f"file = os.open({_KEPT}, os.O_PATH); os.chmod(f'/proc/self/fd/{{file}}', 0o600)",
    ),
    _stopped(
        "mode by a folder's descriptor",
        "os.chmod('kept.txt', 0o600, dir_fd=os.open(params['outside'], os.O_PATH))",
    ),
    _stopped("mode of a package", "os.fchmod(os.open(params['package'] + '/shared.py', os.O_RDONLY), 0o600)"),
    _stopped(
        "mode of what a name comes to mean",
        f"""
        import threading, time
        open("mine", "w").close()
        os.symlink("mine", "name")
        end = time.monotonic() + 0.5
        def exchange():
            while time.monotonic() < end:
                for place in {_KEPT}, "mine":
                    os.symlink(place, "next")
                    os.rename("next", "name")
        thread = threading.Thread(target=exchange)
        thread.start()
        while time.monotonic() < end:
            try:
                os.chmod("name", 0o640)
            except PermissionError:
                pass
        thread.join()
        if os.stat({_KEPT}).st_mode & 0o777 != 0o640:
            raise OSError(errno.EPERM, "never")
        """,
    ),
    _stopped(
        "program that runs as its owner",
        """
        open("mine", "w").close()
        os.chmod("mine", 0o6755)
        if not os.stat("mine").st_mode & 0o6000:
            raise OSError(errno.EPERM, "without these bits")
        """,
    ),
]

TIMES = [
    _stopped("times of a package", "os.utime(params['package'] + '/shared.py', (1, 1))"),
    _stopped(
        "times by a descriptor", "os.utime(os.open(params['package'] + '/shared.py', os.O_RDONLY), (1, 1))"
    ),
    _stopped("times of a folder outside", "os.utime(params['outside'])"),
    _stopped("times through a symbolic link", f"os.symlink({_KEPT}, 'link'); os.utime('link', (1, 1))"),
    _stopped(
        "times by a descriptor without access",
        f"call({number('utimensat')}, os.open({_KEPT}, os.O_PATH), b'', None, 0x1000)",
    ),
]

OTHERS = [
    _stopped("owner of a file outside", f"os.chown({_KEPT}, os.getuid(), -1)"),
    _stopped(
        "attributes of a package",
        "os.setxattr(params['package'] + '/shared.py', 'user.mine', b'x')",
        "ENOTSUP",
    ),
]

CASES = [*CONTENTS, *MODES, *TIMES, *OTHERS]
