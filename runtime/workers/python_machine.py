"""Answers what the confinement hides of the machine as a machine with one account and one process would.

- The files of accounts are closed. There is one account and one group, those of the process.
- Semaphores of the kernel have names in /dev/shm, which all processes of the machine share. A script has one process,
  in which semaphores between its threads serve as well. Pools of threads in `multiprocessing` need them.
"""

import grp
import importlib
import multiprocessing.heap
import os
import pwd
import threading
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any

#: `multiprocessing.synchronize` takes its semaphores from this module.
_SEMAPHORES = importlib.import_module("_multiprocessing")


def settle() -> None:
    """Have the process's libraries answer so. Its environment names its account."""
    name, home = os.environ["LOGNAME"], os.environ["HOME"]
    user = pwd.struct_passwd((name, "x", os.getuid(), os.getgid(), "", home, "/bin/sh"))
    group = grp.struct_group((name, "x", os.getgid(), []))
    _replace(pwd, user, "getpwuid", "getpwnam", "getpwall")
    _replace(grp, group, "getgrgid", "getgrnam", "getgrall")
    os.getlogin = lambda: name
    vars(_SEMAPHORES)["SemLock"] = Semaphore
    # Shared memory of `multiprocessing` then lies in a file of the private folder.
    multiprocessing.heap.Arena._dir_candidates = []  # type: ignore[attr-defined]


def _replace(database: ModuleType, entry: Any, by_number: str, by_name: str, every: str) -> None:
    """Have a module of accounts know one entry only."""

    def lookup(function: str, place: int) -> Callable[[Any], Any]:
        def find(key: Any) -> Any:
            if key != entry[place]:
                raise KeyError(f"{function}(): not found: {key!r}")
            return entry

        return find

    setattr(database, by_number, lookup(by_number, 2))
    setattr(database, by_name, lookup(by_name, 0))
    setattr(database, every, lambda: [entry])


class Semaphore:
    """A semaphore of `multiprocessing` for a single process: it has the interface of `_multiprocessing.SemLock`."""

    SEM_VALUE_MAX = _SEMAPHORES.SemLock.SEM_VALUE_MAX
    #: A semaphore without a name has nothing that must be removed at the end.
    name = None
    handle = 0
    _RECURSIVE = 0

    def __init__(self, kind: int, value: int, maxvalue: int, name: str, unlink: bool) -> None:
        self.kind = kind
        self.maxvalue = maxvalue
        self._value = value
        self._changed = threading.Condition(threading.Lock())
        #: Number of times that the thread `_owner` has acquired it. Other threads may release a semaphore.
        self._acquired = 0
        self._owner = 0

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take one; wait for it, at most `timeout` seconds. Returns whether it was taken."""
        with self._changed:
            if self.kind == self._RECURSIVE and self._is_mine():
                self._acquired += 1
                return True
            wait = None if block and timeout is None else max(timeout or 0.0, 0.0) if block else 0.0
            if not self._changed.wait_for(lambda: self._value > 0, wait):
                return False
            self._value -= 1
            self._acquired += 1
            self._owner = threading.get_ident()
            return True

    def release(self) -> None:
        """Give one back.

        Raises:
            AssertionError: A recursive lock is another thread's.
            ValueError: It has been released too many times.
        """
        with self._changed:
            if self.kind == self._RECURSIVE:
                if not self._is_mine():
                    raise AssertionError("attempt to release recursive lock not owned by thread")
                if self._acquired > 1:
                    self._acquired -= 1
                    return
            elif self._value >= self.maxvalue:
                raise ValueError("semaphore or lock released too many times")
            self._acquired -= 1
            self._value += 1
            self._changed.notify()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _count(self) -> int:
        return self._acquired

    def _is_mine(self) -> bool:
        return self._acquired > 0 and self._owner == threading.get_ident()

    def _get_value(self) -> int:
        return self._value

    def _is_zero(self) -> bool:
        return self._value == 0

    def _after_fork(self) -> None:
        """Do nothing: there are no forks."""
