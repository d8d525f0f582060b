"""Who a part runs as: whoever started us, unless that is root. Then an ordinary account that every system has."""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Where root keeps what other accounts must reach, when the folder that was meant lies behind closed doors.
REFUGE = Path("/var/lib/lambda-microservice")


@dataclass(frozen=True)
class Account:
    """An account of this system. `foreign` when it is not the one we run as."""

    name: str
    uid: int
    gid: int
    foreign: bool

    @classmethod
    def named(cls, name: str) -> "Account":
        """The account of that name when we are root, else our own. Raises KeyError when there is none."""
        if os.geteuid() != 0:
            return cls.own()
        entry = pwd.getpwnam(name)
        return cls(name, entry.pw_uid, entry.pw_gid, foreign=True)

    @classmethod
    def own(cls) -> "Account":
        """The account we run as."""
        return cls("", os.geteuid(), os.getegid(), foreign=False)

    @property
    def popen(self) -> dict[str, Any]:
        """Arguments of subprocess.Popen that start a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.foreign else {}

    def owns(self, path: Path) -> None:
        """Hand the file or folder over to the account."""
        if self.foreign:
            os.chown(path, self.uid, self.gid)

    def reads(self, path: Path) -> bool:
        """Whether the account gets at the file or folder, asked by a process of its own."""
        operator = "-x" if path.is_dir() else "-r"
        asked = subprocess.run(["test", operator, str(path)], cwd="/", check=False, **self.popen)
        return asked.returncode == 0

    def folder(self, path: Path) -> Path:
        """Make `path` a folder the account can reach and return its real place.

        Behind a closed door, such as root's home, `path` becomes a link to a folder of its own in the refuge.
        Nobody else's folder changes its mode.
        """
        path = path.absolute()
        elsewhere = REFUGE / hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        if path.is_symlink() and path.readlink() != elsewhere:
            path.unlink()  # of a copied or moved checkout: the data there belong to another one
        if not path.is_symlink():
            path.mkdir(parents=True, exist_ok=True)
            if self.reads(path):
                return path
            path.rmdir()
            path.symlink_to(elsewhere)
        elsewhere.mkdir(parents=True, exist_ok=True)
        for place in (REFUGE, elsewhere):
            place.chmod(0o755)
        return elsewhere


def remove(folder: Path) -> None:
    """Remove a folder that `Account.folder` made, wherever it lies."""
    shutil.rmtree(folder.resolve(), ignore_errors=True)
    if folder.is_symlink():
        folder.unlink()


#: Keeps PostgreSQL's and Redis's data, and runs the controller.
KEEPER = "daemon"
#: Runs the scripts: it must own nothing that is worth reading.
RUNNER = "nobody"
