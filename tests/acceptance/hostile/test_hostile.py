"""Every hostile script, confined; with all but one of the layers that stop it; and with none of them."""

import platform
import re
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.hostile import (
    node_breakages,
    node_system,
    python_breakages,
    python_files,
    python_resources,
    python_system,
    rust_cases,
)
from tests.acceptance.hostile.cases import Case
from tests.acceptance.hostile.conftest import Runtimes, Target, check_clean, good
from tests.acceptance.hostile.served import Answer

_TABLES = (
    python_system,
    python_files,
    python_resources,
    python_breakages,
    node_system,
    node_breakages,
    rust_cases,
)
CASES = [case for table in _TABLES for case in table.CASES]
SWITCHABLE = [case for case in CASES if case.switchable]
HELD_TWICE = [(case, layer) for case in CASES if len(case.layers) > 1 for layer in case.layers]
WATCHED = [case for case in CASES if case.layers and case.watched]


def _name(value: object) -> str:
    return f"{value.language}: {value.name}" if isinstance(value, Case) else f"only {value}"


def _run(
    runtimes: Runtimes,
    target: Target,
    servers: dict[str, Any],
    case: Case,
    off: tuple[str, ...] = (),
    *,
    generous: bool = False,
) -> Answer:
    """Runs the script beside another tenant's script, and may try to reach that one's process and file."""
    runtime = runtimes(case.language, off, generous=generous)
    sibling = good(runtime, tenant="sibling")
    private = Path(sibling.get("folder", target.outside))
    (private / "private.txt").write_text("private")
    params = {**target.params(runtime, sibling.get("process", 0), private), **servers, "attempt": case.name}
    return runtime.run(case.script, params, timeout_ms=case.timeout_ms)


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_script_is_stopped(case: Case, runtimes: Runtimes, target: Target, servers: dict[str, Any]) -> None:
    answer = _run(runtimes, target, servers, case)
    assert re.fullmatch(case.verdict, answer.verdict), answer.json
    assert target.secret not in str(answer.json)
    check_clean(runtimes, case.language)


@pytest.mark.parametrize("case", SWITCHABLE, ids=_name)
def test_script_succeeds_without_the_layers(
    case: Case, runtimes: Runtimes, target: Target, servers: dict[str, Any]
) -> None:
    answer = _run(runtimes, target, servers, case, case.layers, generous=case.watched)
    assert answer.verdict == case.unconfined, answer.json


@pytest.mark.parametrize(("case", "layer"), HELD_TWICE, ids=_name)
def test_script_is_stopped_by_each_layer_alone(
    case: Case, layer: str, runtimes: Runtimes, target: Target, servers: dict[str, Any]
) -> None:
    others = tuple(name for name in case.layers if name != layer)
    answer = _run(runtimes, target, servers, case, others)
    assert answer.verdict != case.unconfined, answer.json


@pytest.mark.parametrize("case", WATCHED, ids=_name)
def test_script_is_stopped_by_the_limits_watcher_alone(
    case: Case, runtimes: Runtimes, target: Target, servers: dict[str, Any]
) -> None:
    answer = _run(runtimes, target, servers, case, case.layers)
    assert answer.verdict != case.unconfined, answer.json


#: Runs machine code.
_NATIVE = """
import ctypes, mmap
def handle(params):
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex(params["code"]))
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""

#: mov eax, <number of getpid>; int 0x80 or syscall; ret
_GETPID = {"our own": "b827000000 0f05 c3", "of 32 bits": "b814000000 cd80 c3", "x32": "b827000040 0f05 c3"}


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
