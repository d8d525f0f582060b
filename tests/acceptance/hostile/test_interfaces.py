"""The kernel's other interfaces have other numbers of system calls: a process that uses one is ended."""

import platform

import pytest

from tests.acceptance.hostile.conftest import Runtimes, check_clean

#: Runs machine code.
_NATIVE = """
import ctypes, mmap
def handle(params):
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex(params["code"]))
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""

#: mov eax, <number of getpid>; int 0x80 or syscall; ret
_GETPID = {
    "our own": "b827000000 0f05 c3",
    "of 32 bits": "b814000000 cd80 c3",
    "x32": "b827000040 0f05 c3",
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="machine code of x86-64")
@pytest.mark.parametrize("name", _GETPID)
def test_only_our_own_interface_is_served(name: str, runtimes: Runtimes) -> None:
    answer = runtimes("python").run(_NATIVE, {"code": _GETPID[name]})
    if name == "our own":
        assert answer.json["result"] > 0
    else:
        assert answer.verdict == "RUNTIME_ERROR crashed"
        assert "SIGSYS" in answer.json["error"]["message"]
    check_clean(runtimes, "python")
