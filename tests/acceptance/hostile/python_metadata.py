"""Hostile scripts in Python that change modes, times, owners and attributes of files that are not theirs.

They own what they aim at, as all scripts and the service run as one user: only the confinement stops them.
"""

from tests.acceptance.hostile.cases import BOTH, FILES, SECCOMP, Case, number, python_case


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

CASES = [*MODES, *TIMES, *OTHERS]
