"""What processes use, as `faas-cli describe` shows it."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from local.supervisor.proc import PROC, children

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def usage(pids: Iterable[int]) -> dict[str, float]:
    """Of the processes and all below them: thousandths of a CPU, on the average since each began; and bytes."""
    tree = [pid for root in pids for pid in _tree(root)]
    measured = [_measure(PROC / str(pid)) for pid in tree]
    return {
        "cpu": round(sum(cpu for cpu, _ in measured), 1),
        "totalMemoryBytes": sum(memory for _, memory in measured),
    }


def _tree(root: int) -> list[int]:
    found = [root]
    for pid in found:
        found += children(pid)
    return found


def _measure(process: Path) -> tuple[float, float]:
    """Nothing of a process that is gone."""
    with contextlib.suppress(OSError):
        fields = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / _TICKS
        age = float((PROC / "uptime").read_text().split()[0]) - int(fields[19]) / _TICKS
        pages = int((process / "statm").read_text().split()[1])
        return 1000 * seconds / max(age, 1 / _TICKS), float(pages * _PAGE)
    return 0.0, 0.0
