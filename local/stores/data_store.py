"""A part that keeps data in a folder of its own."""

from pathlib import Path
from types import TracebackType
from typing import Self

from local.supervisor.account import KEEPER, Account, remove
from local.supervisor.managed_process import Part
from local.supervisor.ports import free_port


class Store(Part):
    """A server and its data.

    As a context manager it is a server for a while: its data go with it.

    Args:
        name: as people know it.
        folder: for the data and, when no `log` is given, the log. Need not exist.
        port: on loopback; a free one when 0. It stays the same over stop and start.
    """

    def __init__(self, name: str, folder: Path, port: int, log: Path | None) -> None:
        account = Account.named(KEEPER)
        self._asked = folder
        self._folder = account.folder(folder)
        self.port = port or free_port()
        super().__init__(name, log or self._folder / f"{name.lower()}.log", account)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        remove(self._asked)
