"""Prometheus and promtool, which are in one package of the distribution."""

from pathlib import Path

from local.fetch.debian_program import DebianProgram, debian_program

#: The folder of the programs in the state.
PROGRAMS = "prometheus"


def program(name: str, folder: Path) -> DebianProgram:
    """Return `prometheus` or `promtool`, fetched into `folder` if need be. Raises PackagesError."""
    return debian_program(name, "prometheus", folder)
