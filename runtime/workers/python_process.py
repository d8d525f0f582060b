"""The process of a Python script: it looks like that of `python script.py`, and the same to each run."""

import _thread
import asyncio
import atexit
import builtins
import concurrent.futures.thread as executors
import io
import logging
import os
import signal
import site
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from runtime.workers import python_loop

# The fork server starts without `site`, which is what defines exit(), quit(), help() and others.
site.setquit()
site.setcopyright()
site.sethelper()
# The first finalizer registers a function of the standard library for the exit. It is not one of the script's.
weakref.finalize(Any, print).detach()

_STREAMS = ("stdin", "stdout", "stderr")
#: What scripts replace, by module.
_REPLACEABLE = (
    (sys, (*_STREAMS, *(f"__{name}__" for name in _STREAMS), "exit", "excepthook", "argv", "path")),
    (builtins, ("print", "input", "open", "__import__")),
)
#: The settings and handlers of a new logger.
_UNSET: tuple[tuple[int, bool, bool], list[logging.Handler]] = ((logging.NOTSET, False, True), [])
#: How often a thread that still runs is looked at again, each time after a millisecond.
_LOOKS = 5
_LOCKS = (_thread.LockType, _thread.RLock, asyncio.mixins._LoopBoundMixin)


def look_plain(script: str) -> None:
    """Make the process look as if it had been started as `python <script>` in the current folder.

    Args:
        script: The name of the script's file.
    """
    sys.argv = [script]
    sys.orig_argv = [sys.executable, script]
    sys.path.insert(0, str(Path.cwd()))
    # Unbuffered as under `python -u`: output before a kill has reached the pipe.
    sys.stdout, sys.stderr = _unbuffered(1), _unbuffered(2)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it lives as long as we do
    for name in _STREAMS:
        setattr(sys, f"__{name}__", getattr(sys, name))
    signal.signal(signal.SIGINT, signal.default_int_handler)


class ProcessState:
    """What belongs to the process and not to a run, as it is at the construction.

    What the script's text does not name is not looked at after a run: most scripts change nothing, and to look takes
    longer than many of them.

    Args:
        source: The script's text.
        namespace: The globals that the runs share.
    """

    def __init__(self, source: str, namespace: dict[str, Any]) -> None:
        self._output = sys.stdout, sys.stderr
        self._restore = [part() for words, part in _PARTS if any(word in source for word in words)]
        self._namespace: dict[str, Any] | None = namespace
        self._locks: list[Any] = []

    def restore(self) -> bool:
        """Put everything back.

        Returns:
            Whether the process can serve another run: none if a thread still runs, a lock is held, or something is
            left in the event loop.
        """
        for restore in self._restore:
            restore()
        if (sys.stdout, sys.stderr) != self._output:
            _flush(sys.stdout)
            _flush(sys.stderr)
            sys.stdout, sys.stderr = self._output
        if self._namespace is not None:  # it is searched once, after the first run has made what it makes
            self._locks, self._namespace = list(_locks(self._namespace)), None
        usable = python_loop.settle() and not sys.stdout.closed and not sys.stderr.closed
        return usable and not (self._locks and any(map(_is_held, self._locks))) and not _threads_at_work()


def _names() -> Callable[[], None]:
    kept = [(vars(module), name, getattr(module, name)) for module, names in _REPLACEABLE for name in names]
    lists = [(values, list(values)) for values in (sys.argv, sys.path)]
    recursion = sys.getrecursionlimit()

    def restore() -> None:
        for names, name, value in kept:
            if (now := names.get(name)) is not value:
                _flush(now)
                names[name] = value
        for values, before in lists:
            if values != before:
                values[:] = before
        if sys.getrecursionlimit() != recursion:
            sys.setrecursionlimit(recursion)

    return restore


def _digits() -> Callable[[], None]:
    return partial(sys.set_int_max_str_digits, sys.get_int_max_str_digits())


def _environment() -> Callable[[], None]:
    before = dict(os.environ)

    def restore() -> None:
        if dict(os.environ) != before:
            os.environ.clear()
            os.environ.update(before)

    return restore


def _folder() -> Callable[[], None]:
    return partial(os.chdir, Path.cwd())


def _filters() -> Callable[[], None]:
    before = list(warnings.filters)

    def restore() -> None:
        if warnings.filters != before:
            warnings.resetwarnings()
            warnings.filters[:] = before  # type: ignore[index]

    return restore


def _logging() -> Callable[[], None]:
    kept = {logger: (_settings(logger), list(logger.handlers)) for logger in _loggers()}

    def restore() -> None:
        for logger in _loggers():
            settings, handlers = kept.get(logger, _UNSET)
            if _settings(logger) != settings:
                level, logger.disabled, logger.propagate = settings
                logger.setLevel(level)
            if logger.handlers != handlers:
                logger.handlers[:] = handlers

    return restore


#: What is put back if a script's text has one of the words.
_PARTS = (
    (("sys", "builtins", "print ="), _names),
    (("digits",), _digits),
    (("environ", "env("), _environment),
    (("chdir",), _folder),
    (("warnings",), _filters),
    (("logg",), _logging),
)


def end_timers() -> None:
    """Stop the alarm of a run. Its handler may still be called: it may raise what the script's handlers raise."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def end_program() -> bool:
    """Do what Python does at the end of a program: wait for its threads, call its exit functions.

    Returns:
        Whether it did neither. Else the process cannot serve another run.
    """
    waits = _thread._count() and any(
        not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()
    )
    if waits:
        threading._shutdown()  # type: ignore[attr-defined]
    registered = atexit._ncallbacks() > _EXIT_FUNCTIONS
    if registered:
        atexit._run_exitfuncs()
    return not waits and not registered


def _unbuffered(descriptor: int) -> io.TextIOWrapper:
    raw = open(descriptor, "wb", buffering=0, closefd=False)  # noqa: SIM115 - it lives as long as we do
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)


def _flush(stream: Any) -> None:
    """Write what a stream of the script holds back; it may be anything."""
    with suppress(Exception):
        stream.flush()


def _settings(logger: logging.Logger) -> tuple[int, bool, bool]:
    return logger.level, logger.disabled, logger.propagate


def _loggers() -> Iterable[logging.Logger]:
    known = logging.root.manager.loggerDict.values()
    return [logging.root, *(logger for logger in known if isinstance(logger, logging.Logger))]


def _locks(namespace: dict[str, Any]) -> Iterable[Any]:
    """Yield the locks of a module, and what it has bound to event loops: globals, and attributes of its objects."""
    for value in list(namespace.values()):
        if isinstance(value, _LOCKS):
            yield value
        elif type(value).__module__ == namespace["__name__"]:
            yield from (held for held in getattr(value, "__dict__", {}).values() if isinstance(held, _LOCKS))


def _is_held(lock: Any) -> bool:
    """Return whether a lock was not released, or belongs to a loop that was closed."""
    if isinstance(lock, _thread.RLock):
        return bool(lock._is_owned())  # type: ignore[attr-defined]
    if isinstance(lock, _thread.LockType):
        return lock.locked()
    loop = lock._loop
    held = isinstance(lock, asyncio.Lock) and lock.locked()
    return held or (loop is not None and loop.is_closed())


def _threads_at_work() -> bool:
    """Return whether threads run, but for those of executors that wait for work. A thread may be about to end."""
    for _ in range(_LOOKS):
        if not _thread._count() or not _busy_threads():
            return False
        time.sleep(0.001)
    return True


def _busy_threads() -> int:
    frames = sys._current_frames()
    waiting = executors._worker.__code__
    pooled = [frames.get(thread.ident) for thread in executors._threads_queues]
    return len(frames) - 1 - sum(frame is not None and frame.f_code is waiting for frame in pooled)


#: Those of the standard library.
_EXIT_FUNCTIONS = atexit._ncallbacks()
