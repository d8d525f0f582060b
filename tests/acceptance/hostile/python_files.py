"""Hostile scripts in Python that reach for files of others, and that take all the memory and disk there is.

What they take is bounded: a hole must do no harm.
"""

from tests.acceptance.hostile.cases import FILES, LIMITS, SECCOMP, number, python_case

FILE_SYSTEM = [
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
    python_case(
        "mode of a file outside",
        "os.chmod(params['outside'] + '/kept.txt', 0o600)",
        "refused ENOSYS",
        SECCOMP,
    ),
    python_case(
        "mode of a package",
        "os.fchmod(os.open(params['package'] + '/shared.py', os.O_RDONLY), 0o600)",
        "refused (EPERM|ENOSYS)",
        SECCOMP,
    ),
    python_case(
        "times of a package", "os.utime(params['package'] + '/shared.py', (1, 1))", "refused ENOSYS", SECCOMP
    ),
    python_case(
        "attributes of a package",
        "os.setxattr(params['package'] + '/shared.py', 'user.mine', b'x')",
        "refused ENOSYS",
        SECCOMP,
    ),
    python_case("device", "os.mknod('device', 0o600 | 0o10000)", "refused ENOSYS", SECCOMP),
    python_case(
        "our package by its path",
        """
        import sys
        sys.path.insert(0, params["repository"])
        try:
            import runtime.syscalls
        except ImportError:
            raise OSError(errno.EACCES, "no such module")
        """,
        "refused EACCES",
        FILES,
    ),
    python_case(
        "our package by its name",
        """
        for name in "runtime", "runtime.sandbox", "runtime.workers.protocol", "controller":
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

RESOURCES = [
    python_case(
        "memory bomb",
        "blocks = [bytearray(16 << 20) for _ in range(24)]",
        "RUNTIME_ERROR memory_limit",
        LIMITS,
        overseen=True,
    ),
    python_case(
        "memory bomb after the end of the first thread",
        """
        import threading, time
        def take():
            while open("/proc/self/stat").read().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.01)
            blocks = [bytearray(16 << 20) for _ in range(24)]
            time.sleep(0.3)
            body = b'{"id":2,"result":{"done":true}}'
            os.write(3, len(body).to_bytes(4, "big") + body)
        threading.Thread(target=take).start()
        call(EXIT, 0)
        """.replace("EXIT", str(number("exit"))),
        "RUNTIME_ERROR (memory_limit|crashed)",
        LIMITS,
        overseen=True,
    ),
    python_case(
        "mapped memory",
        """
        import mmap
        maps = []
        for _ in range(24):
            maps.append(mmap.mmap(-1, 16 << 20))
            maps[-1].write(b"x" * (16 << 20))
        """,
        "refused ENOMEM|RUNTIME_ERROR memory_limit",
        LIMITS,
        overseen=True,
    ),
    python_case(
        "one large file",
        """
        with open("large", "wb") as file:
            for _ in range(96):
                file.write(bytes(1 << 20))
        """,
        r"refused (EFBIG|ENOSPC)|RUNTIME_ERROR (\w+_limit|exception)",
        LIMITS,
        overseen=True,
    ),
    python_case(
        "disk filler",
        """
        for index in range(6):
            with open(f"file{index}", "wb") as file:
                for _ in range(16):
                    file.write(bytes(1 << 20))
        """,
        r"refused (EFBIG|ENOSPC)|RUNTIME_ERROR (\w+_limit|exception)",
        overseen=True,
    ),
    python_case(
        "disk filler without names",
        """
        files = []
        for _ in range(6):
            files.append(open("hidden", "wb"))
            os.unlink("hidden")
            for _ in range(16):
                files[-1].write(bytes(1 << 20))
        """,
        r"refused (EFBIG|ENOSPC)|RUNTIME_ERROR (\w+_limit|exception)",
        overseen=True,
    ),
    python_case(
        "disk filler by mappings",
        """
        libc = ctypes.CDLL(None)
        libc.mmap.restype = ctypes.c_void_p
        for _ in range(6):
            with open("hidden", "wb+") as file:
                for _ in range(16):
                    file.write(bytes(1 << 20))
                file.flush()
                libc.mmap(None, ctypes.c_size_t(4096), 1, 1, file.fileno(), ctypes.c_long(0))
            os.unlink("hidden")
        """,
        r"RUNTIME_ERROR exception",
        overseen=True,
    ),
    python_case(
        "disk filler by descriptors on their way",
        """
        import socket
        there, here = socket.socketpair()
        for _ in range(6):
            with open("hidden", "wb") as file:
                socket.send_fds(here, [b"x"], [file.fileno()])
                for _ in range(16):
                    file.write(bytes(1 << 20))
            os.unlink("hidden")
        __import__("time").sleep(0.3)
        """,
        "refused EACCES",
        SECCOMP,
    ),
    python_case(
        "disk filler by a thread's own descriptors",
        """
        import threading
        found = []
        def fill():
            try:
                call(CLOSE_RANGE, 1000, 1000, 2)
                for _ in range(6):
                    found.append(os.open("hidden", os.O_CREAT | os.O_WRONLY))
                    os.unlink("hidden")
                    for _ in range(16):
                        os.write(found[-1], bytes(1 << 20))
            except OSError as error:
                found.append(error)
            __import__("time").sleep(0.3)
        thread = threading.Thread(target=fill)
        thread.start()
        thread.join()
        if isinstance(found[-1], OSError):
            raise found[-1]
        """.replace("CLOSE_RANGE", str(number("close_range"))),
        "refused EPERM",
        SECCOMP,
    ),
    python_case("descriptors", "files = [open('/dev/null') for _ in range(400)]", "refused EMFILE", LIMITS),
]

CASES = [*FILE_SYSTEM, *RESOURCES]
