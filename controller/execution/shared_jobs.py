"""SharedJobs: work that all who ask for the same wait for, and that goes on when they stop waiting."""

import logging
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

import gevent

from controller.errors import ServiceError

log = logging.getLogger(__name__)
T = TypeVar("T")


class Job(Generic[T]):
    """Work in a greenlet. A failure is kept for those who wait."""

    def __init__(self, work: Callable[[], T], done: Callable[[], object]) -> None:
        self._work = work
        self._done = done
        self._greenlet = gevent.spawn(self._run)

    def wait(self, until: float, late: Callable[[], ServiceError]) -> T:
        """Return the result.

        Args:
            until: deadline on the monotonic clock.
            late: makes the error of a job that is not done by then.

        Raises:
            ServiceError: the error of the job, or that of `late`.
        """
        self._greenlet.join(timeout=max(0.0, until - monotonic()))
        if not self._greenlet.ready():
            raise late()
        return self.result()

    def result(self) -> T:
        """Wait for the result as long as it takes. Raises ServiceError."""
        result = self._greenlet.get()
        if isinstance(result, ServiceError):
            raise _copied(result)
        return result

    def _run(self) -> T | ServiceError:
        try:
            return self._work()
        except ServiceError as error:
            return error
        except Exception:
            log.exception("an internal error")
            return ServiceError("an internal error")
        finally:
            self._done()


class SharedJobs(Generic[T]):
    """The jobs of one kind that run now, by their keys."""

    def __init__(self) -> None:
        self._jobs: dict[Hashable, Job[T]] = {}

    def of(self, key: Hashable, work: Callable[[], T]) -> Job[T]:
        """Return the job that runs for this key, or begin it."""
        job = self._jobs.get(key)
        if job is None:
            job = self._jobs[key] = Job(work, lambda: self._jobs.pop(key, None))
        return job


def _copied(error: ServiceError) -> ServiceError:
    """Return an error for one of those who wait: each names its own session in it."""
    copy = type(error)(error.message, details=error.details)
    copy.status, copy.retry_after = error.status, error.retry_after
    copy.__cause__ = error
    return copy
