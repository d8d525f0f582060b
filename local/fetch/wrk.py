"""wrk, which makes load: the one that WRK names, the machine's own, or the distribution's package, unpacked."""

from pathlib import Path

from local.fetch.debian_program import DebianProgram, debian_program

#: The folder of the program in the state.
FOLDER = "wrk"


def program(folder: Path) -> DebianProgram:
    """The program, fetched into `folder` if need be. Raises PackagesError."""
    return debian_program("wrk", "wrk", folder)
