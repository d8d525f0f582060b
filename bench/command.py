"""What the commands of the bench share: messages, wrk, the file of a run's figures, and the end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.connection import UnexpectedAnswer
from bench.wrk import LoadError, Wrk
from local.fetch.debian_program import PackagesError, debian_program
from local.run import complain
from local.state import ROOT
from local.supervisor.managed_process import PartError

#: Figures are artefacts: git ignores this folder.
FOLDER = ROOT / ".local" / "bench"
#: Says one line beside the table.
announce = partial(print, flush=True, file=sys.stderr)


def wrk_program() -> Wrk:
    """The one that WRK names, the machine's own, or the distribution's, fetched. Raises PackagesError."""
    return Wrk(debian_program("wrk", "wrk", ROOT / ".local" / "wrk"))


def save(path: Path, figures: Mapping[str, object]) -> None:
    """Write the figures, with what was measured and where."""
    facts = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": f"{len(os.sched_getaffinity(0))} cores, {' '.join(os.uname())}",
        "python": sys.version,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**facts, **figures}, indent=1) + "\n")


def commit() -> str:
    """The commit of this checkout, with a plus where files differ from it; empty where there is no git."""
    try:
        return git("describe", "--always", "--dirty=+", "--exclude=*")
    except (PartError, OSError):
        return ""


def git(*arguments: str) -> str:
    """The output of a git command in this checkout. Raises PartError with git's message where it fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PartError(f"git {arguments[0]} failed", done.stderr.splitlines())
    return done.stdout.strip()


def status_of(work: Callable[[], int]) -> int:
    """The exit status of a command. One that is told to end stops what it has started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return work()
    except PartError as error:
        complain(error)
    except (PackagesError, UnexpectedAnswer, LoadError) as error:
        announce(error)
    except KeyboardInterrupt:
        return 130
    return 1
