"""Processes of other programs, each named for good by its pid and its birth."""

from local.supervisor.proc import born, descendants

Process = tuple[int, str | None]


def below(pid: int) -> list[Process]:
    """Every process that descends from this one."""
    return [(each, born(each)) for each in descendants(pid) if each != pid]


def alive(processes: list[Process]) -> list[int]:
    """The pids of those that still run."""
    return [pid for pid, birth in processes if born(pid) == birth]
