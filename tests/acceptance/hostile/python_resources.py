"""Hostile scripts in Python that take all the memory, disk and descriptors there are.

What they take is bounded: a hole must do no harm.
"""

from tests.acceptance.hostile.cases import FILES, LIMITS, SECCOMP, number, python_case

CASES = [
    python_case(
        "memory bomb",
        "blocks = [bytearray(16 << 20) for _ in range(24)]",
        "RUNTIME_ERROR memory_limit",
        watched=True,
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
        watched=True,
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
        "RUNTIME_ERROR memory_limit",
        watched=True,
    ),
    python_case(
        "growth between two looks",
        """
        import time
        time.sleep(0.3)
        block = bytearray(b"x") * (384 << 20)
        """,
        "RUNTIME_ERROR memory_limit",
        watched=True,
    ),
    python_case(
        "growth close below the limit",
        """
        import time
        block = bytearray(b"x") * (144 << 20)
        time.sleep(0.3)
        blocks = [bytearray(b"x") * (16 << 20) for _ in range(15)]
        """,
        "RUNTIME_ERROR memory_limit",
        watched=True,
    ),
    python_case(
        "memory of many threads",
        """
        import threading
        blocks = []
        threads = [
            threading.Thread(target=lambda: blocks.append(bytearray(b"x") * (48 << 20))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """,
        "RUNTIME_ERROR memory_limit",
        watched=True,
    ),
    # 256 MiB of the kernel's tables, for memory that is never written to.
    python_case(
        "page tables",
        """
        libc = ctypes.CDLL(None)
        libc.mmap.restype = ctypes.c_void_p
        place = libc.mmap(None, ctypes.c_size_t(256 << 30), 1, 0x4022, -1, ctypes.c_long(0))
        for offset in range(0, 256 << 30, 2 << 20):
            ctypes.c_char.from_address(place + offset).value
        """,
        "RUNTIME_ERROR memory_limit",
        watched=True,
    ),
    python_case(
        "reserved memory",
        """
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        if libc.mmap(None, ctypes.c_size_t(4 << 30), 3, 0x4022, -1, ctypes.c_long(0)) == 2**64 - 1:
            raise OSError(ctypes.get_errno(), "mmap")
        """,
        "refused ENOMEM",
        LIMITS,
    ),
    python_case(
        "semaphore of the machine",
        """
        libc = ctypes.CDLL(None, use_errno=True)
        libc.sem_open.restype = ctypes.c_void_p
        if not libc.sem_open(b"/hostile", os.O_CREAT, 0o600, 1):
            raise OSError(ctypes.get_errno(), "sem_open")
        libc.sem_unlink(b"/hostile")
        """,
        "refused EACCES",
        FILES,
    ),
    python_case(
        "shared memory of the machine",
        """
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.shm_open(b"/hostile", os.O_CREAT | os.O_RDWR, 0o600) < 0:
            raise OSError(ctypes.get_errno(), "shm_open")
        libc.shm_unlink(b"/hostile")
        """,
        "refused EACCES",
        FILES,
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
        watched=True,
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
        watched=True,
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
        watched=True,
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
        watched=True,
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
