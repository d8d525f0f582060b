"""Where the service on one machine keeps what outlives it: `.local/` in the checkout."""

import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import IO

from local.supervisor.account import RUNNER, Account

ROOT = Path(__file__).resolve().parent.parent
#: The Rust toolchain's folder in the state.
RUST = "rust-toolchain"
#: The folders that parts load code from.
CODE = (
    "controller",
    "runtime",
    "telemetry",
    "configuration",
    "framing",
    "function",
    "local",
    "sql",
    "template",
)


class AlreadyRunning(Exception):
    """Another start holds the state. `whereabouts` is what it has written about itself."""

    def __init__(self, whereabouts: str) -> None:
        super().__init__(f"already running: {whereabouts}")


class State:
    """The folders below one root: data, logs, secrets, and what only a running service needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = Account.named(RUNNER).folder(folder)
        self.log_folder = self._made("log")
        self.run_folder = self._made("run")
        self._secrets = self._made("secrets", 0o700)
        self._lock: IO[str] | None = None

    def lock(self) -> None:
        """Hold the state until this process ends, however it does. Raises AlreadyRunning."""
        lock = self.run_folder.joinpath("lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyRunning(lock.read().strip() or "it is just starting") from None
        lock.truncate(0)
        self._lock = lock

    def announce(self, whereabouts: str) -> None:
        """Write for a second start where the one that holds the lock can be found."""
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.write(whereabouts)
            self._lock.flush()

    def secret(self, name: str) -> str:
        """The secret of that name, made at the first question."""
        path = self._secrets / name
        if not path.exists():
            fresh = path.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32))
            fresh.rename(path)
        return path.read_text()

    def log(self, name: str) -> Path:
        """The log of a part."""
        return self.log_folder / f"{name}.log"

    def rotate_logs(self) -> None:
        """Begin fresh logs; those of the start before are kept as `<name>.log.1`."""
        for path in self.log_folder.glob("*.log"):
            path.rename(path.with_suffix(".log.1"))

    def code(self) -> Path:
        """The checkout, or a copy of its code where parts that do not run as root cannot read it."""
        copy = self.folder / "code"
        shutil.rmtree(copy, ignore_errors=True)
        if Account.named(RUNNER).reads(ROOT / "local"):
            return ROOT
        for name in CODE:
            shutil.copytree(ROOT / name, copy / name)
        return copy

    def private_folder(self, part: str, account: Account) -> Path:
        """An empty folder that only `account` can read: secrets, temporary files and metrics of one part."""
        folder = self.run_folder / part
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        account.owns(folder)
        return folder

    def shared_folder(self, name: str, owner: Account, guest: Account) -> Path:
        """An empty folder for sockets of `owner` that of all other accounts only `guest` reaches, by its group."""
        folder = self.run_folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        if owner.foreign:
            os.chown(folder, owner.uid, guest.gid)
            folder.chmod(0o710)
        return folder

    def kept_folder(self, name: str, account: Account) -> Path:
        """A folder of data that only `account` can read and that stays."""
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        account.owns(folder)
        return folder

    def _made(self, name: str, mode: int = 0o755) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
        return folder
