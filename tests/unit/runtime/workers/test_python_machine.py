"""Semaphores for threads give the same answers as those of the kernel, whose place they take in `multiprocessing`."""

import importlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from runtime.workers.python_machine import Semaphore

MUTEX, COUNTER = 0, 1
KERNELS = importlib.import_module("_multiprocessing").SemLock


def recursion(make: Callable[..., Any]) -> list[Any]:
    lock = make(MUTEX, 1, 1)
    taken = [lock.acquire(), lock.acquire(), lock._count(), lock._is_mine(), lock._get_value()]
    lock.release()
    return [*taken, lock._count(), lock._is_zero(), elsewhere(lambda: lock.acquire(False)), lock._is_mine()]


def counting(make: Callable[..., Any]) -> list[Any]:
    counter = make(COUNTER, 2, 3)
    taken = [counter.acquire(False), counter.acquire(True), counter.acquire(False), counter._get_value()]
    elsewhere(counter.release)
    return [*taken, counter._get_value(), counter.maxvalue, counter.kind, counter._is_zero()]


def waiting_in_vain(make: Callable[..., Any]) -> list[Any]:
    empty = make(COUNTER, 0, 1)
    return [empty.acquire(True, 0.01), empty.acquire(True, 0), empty.acquire(True, -1), empty._count()]


def waiting_for_another(make: Callable[..., Any]) -> list[Any]:
    empty = make(COUNTER, 0, 1)
    thread = threading.Thread(target=empty.release)
    thread.start()
    taken = empty.acquire(True, 60)
    thread.join()
    return [taken, empty._get_value()]


def context(make: Callable[..., Any]) -> list[Any]:
    lock = make(COUNTER, 1, 1)
    with lock as entered:
        return [entered, lock._get_value()]


def too_many(make: Callable[..., Any]) -> list[Any]:
    return [raised(make(COUNTER, 1, 1).release), raised(make(MUTEX, 1, 1).release)]


def another_threads(make: Callable[..., Any]) -> list[Any]:
    lock = make(MUTEX, 1, 1)
    lock.acquire()
    return [elsewhere(lambda: raised(lock.release)), lock._is_mine()]


@pytest.mark.parametrize(
    "attempt",
    [recursion, counting, waiting_in_vain, waiting_for_another, context, too_many, another_threads],
)
def test_it_answers_as_the_kernels(attempt: Callable[..., list[Any]]) -> None:
    number = iter(range(10))
    kernels = attempt(
        lambda kind, value, most: KERNELS(kind, value, most, f"/{id(attempt)}-{next(number)}", True)
    )
    assert attempt(lambda kind, value, most: Semaphore(kind, value, most, "", True)) == kernels


def elsewhere(function: Callable[[], Any]) -> Any:
    """Call in another thread."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(function()))
    thread.start()
    thread.join()
    return answers[0]


def raised(function: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(Exception) as info:
        function()
    return type(info.value).__name__, str(info.value)
