"""Run a program, keep its output, and explain its failure in one line.

Uses the standard library only: `local.environment` needs it before anything is installed. The runtime's images hold
no `local/`, so `runtime.languages.rust` runs its compiler by itself.
"""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.supervisor.account import Account

#: Seconds for one command. A first build of a Go program compiles everything it imports, and apt fetches some 150 MB.
TIMEOUT = 600

#: How apt, and how compilers, cargo and pip begin the line that names the reason.
_ERROR = re.compile(r"E: *(.+)|(error.*)", re.IGNORECASE)
_SUBCOMMAND = re.compile(r"[a-z][a-z-]*")


class UnavailableError(Exception):
    """A program failed, or something cannot be had on this machine. The message is one line."""


def output(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = TIMEOUT,
    account: Account | None = None,
    name: str | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    Args:
        command: the program and its arguments.
        folder: the working folder; ours by default.
        environment: all its variables; ours by default.
        timeout: seconds; None: no limit.
        account: the account to run it as; ours by default.
        name: what the error calls it; by default the program and its subcommand.

    Raises:
        UnavailableError: it cannot be started, failed, or did not end in time.
    """
    called = name or _name(command)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            **(account.popen if account else {}),
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{called}: did not end within {timeout:g} s") from error
    except OSError as error:
        raise UnavailableError(f"{called}: {error}") from error
    if done.returncode != 0:
        raise UnavailableError(f"{called}: {_reason(done.stdout + done.stderr)}")
    return str(done.stdout)


def pip(*arguments: str, python: Path | None = None) -> None:
    """Run the pip of `python`, by default of the running one. Raises UnavailableError."""
    program = str(python or sys.executable)
    options = ["--disable-pip-version-check", "--quiet"]
    output([program, "-m", "pip", *options, *arguments], timeout=None, name=f"pip {arguments[0]}")


def _name(command: Sequence[str]) -> str:
    subcommand = [word for word in command[1:2] if _SUBCOMMAND.fullmatch(word)]
    return " ".join([Path(command[0]).name, *subcommand])


def _reason(text: str) -> str:
    """The first line that is marked as an error, else the last two lines."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if found := _ERROR.match(line):
            return found[1] or found[2]
    return " ".join(lines[-2:]) or "failed without a message"
