"""The hostile suite as an ordinary user without capabilities: `python -m tools.checks.hostile [arguments of pytest]`.

Root runs it as the account that `make run` gives the runtimes, with every set of capabilities empty, and from a copy
of the checkout where that account cannot read ours. Nobody gains rights by programs in it (no_new_privs).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.state import ROOT, RUST
from local.supervisor.account import RUNNER, Account
from local.supervisor.managed_process import INTERPRETER

SUITE = "tests/acceptance/hostile"
#: What a copy of the checkout leaves out: what was made in it, compiled modules excepted.
MADE = (".git", ".local", "build", ".*_cache", "*.egg-info")


class ClosedInterpreter(Exception):
    """The account cannot run this Python. The message is one line with the remedy."""


def command(account: Account, arguments: list[str]) -> list[str]:
    """What runs the suite as `account`. Raises ClosedInterpreter."""
    if not account.reads(INTERPRETER):
        raise ClosedInterpreter(
            f"{INTERPRETER.resolve()} is closed to {account.name}, and hostile scripts do not run as root: "
            "apt install python3-venv, then make clean test"
        )
    drop = ["--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"]
    if account.foreign:
        change = [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", "--bounding-set=-all"]
        drop = [*change, *drop]
    # Nothing is written into the checkout, which need not be the account's.
    pytest = [str(INTERPRETER), "-B", "-m", "pytest", "-p", "no:cacheprovider", SUITE]
    return ["setpriv", *drop, *pytest, *arguments]


def readable_checkout(account: Account, state: Path) -> Path:
    """The checkout, or a fresh copy in the folder `state` where the account cannot read it."""
    if account.reads(ROOT / SUITE):
        return ROOT
    copy = state / "hostile"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*MADE))
    return copy


def main() -> int:
    account = Account.named(RUNNER)
    state = account.folder(ROOT / ".local")
    try:
        arguments = command(account, sys.argv[1:])
    except ClosedInterpreter as reason:
        print(reason, file=sys.stderr)
        return 1
    environment = {"RUST_TOOLCHAIN": str(state / RUST), **os.environ}
    # The account cannot read what other groups of the suite share.
    environment.pop("TESTS_RUN_FOLDER", None)
    return subprocess.run(
        arguments, cwd=readable_checkout(account, state), env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
