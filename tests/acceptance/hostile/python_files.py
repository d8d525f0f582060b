"""Hostile scripts in Python that reach for files of others."""

from tests.acceptance.hostile.cases import FILES, SECCOMP, python_case

CASES = [
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
