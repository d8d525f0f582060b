"""What processes use, as `faas-cli describe` shows it."""

import contextlib
import os
from collections.abc import Iterable

from local.supervisor.proc import PROC, descendants, stat_fields

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def usage(pids: Iterable[int]) -> dict[str, float]:
    """Of the processes and all below them: thousandths of a CPU, on the average since each began; and bytes."""
    measured = [_measure(pid) for root in pids for pid in descendants(root)]
    return {
        "cpu": round(sum(cpu for cpu, _ in measured), 1),
        "totalMemoryBytes": sum(memory for _, memory in measured),
    }


def _measure(pid: int) -> tuple[float, float]:
    """Nothing of a process that is gone."""
    fields = stat_fields(pid)
    if fields is not None:
        with contextlib.suppress(OSError):
            seconds = (int(fields[11]) + int(fields[12])) / _TICKS
            age = float((PROC / "uptime").read_text().split()[0]) - int(fields[19]) / _TICKS
            pages = int((PROC / str(pid) / "statm").read_text().split()[1])
            return 1000 * seconds / max(age, 1 / _TICKS), float(pages * _PAGE)
    return 0.0, 0.0
