"""PackageInstaller: resolves declarations and builds environments, once for all who ask, over all processes.

In one process those who ask for the same share a job. Between processes the row in PostgreSQL has a lease. Its
process renews it while it works, and the others look at the row until the work has ended. If that process dies, its
lease runs out, and one of the others takes over.
"""

import hashlib
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from time import monotonic
from typing import Any, Protocol

import gevent

from controller.declarations.declared import Declared
from controller.errors import RuntimeUnavailable, ServiceError, StoreUnavailable
from controller.execution.shared_jobs import Job, SharedJobs
from controller.models.environments import BuildState, Built, Environment, Resolved
from controller.models.outcome import FAILURES
from controller.models.registered import canonical
from controller.observability.metrics import MetricsCollector
from controller.registry.rows import EnvironmentRows, PartStore
from controller.runtimes.packages_client import RETRY_AFTER, BuildStream

log = logging.getLogger(__name__)

#: Seconds of a lease, between two renewals, and between two looks at another process's work.
LEASE, RENEWED_EVERY, LOOK_EVERY = 15.0, 4.0, 0.2


class Packages(Protocol):
    """The function `packages`, see `controller.runtimes.packages_client.PackagesClient`."""

    def resolve(
        self, language: str, packages: Sequence[str], requires_python: str | None, lock: str | None
    ) -> Resolved:
        """Return the canonical lock of packages."""

    def build(self, language: str, lock: str) -> AbstractContextManager[BuildStream]:
        """Build an environment. The block reads its parts."""


class PackageInstaller:
    """Makes environments.

    Args:
        rows: the permanent store of environments.
        parts: the permanent store of their parts.
        packages: resolves and builds. None: the deployment does not have it.
        metrics: counts environments.
        lease: seconds of a lease.
    """

    def __init__(
        self,
        rows: EnvironmentRows,
        parts: PartStore,
        packages: Packages | None,
        metrics: MetricsCollector,
        lease: float = LEASE,
    ) -> None:
        self._rows = rows
        self._parts = parts
        self._packages = packages
        self._metrics = metrics
        self._lease = lease
        self._resolutions: SharedJobs[tuple[str, Job[None]]] = SharedJobs()
        self._builds: SharedJobs[None] = SharedJobs()

    def environment(
        self, user: str, language: str, declared: Declared, lock: str, *, refresh: bool, until: float
    ) -> str:
        """Return the digest of the environment that a declaration of a user has. It is ready.

        Args:
            user: the user.
            language: the language of the environment.
            declared: the packages.
            lock: a lock that they have to meet. Empty: none.
            refresh: whether they are resolved anew, if they have a lock already.
            until: deadline on the monotonic clock. Then the work goes on.

        Raises:
            InitializationFailed: the packages cannot be installed.
            InvalidRequest: the lock is malformed, or does not satisfy the packages.
            RuntimeUnavailable: they are not installed by then, or cannot be now. `details.environment` is the digest,
                or None before it is known.
            StoreUnavailable: PostgreSQL is away.
        """
        locked = hashlib.sha256(lock.encode()).hexdigest() if lock else None
        inputs = canonical([language, *declared, locked])
        declaration = hashlib.sha256(inputs.encode()).hexdigest()
        kept = None if refresh else self._rows.kept_lock(user, declaration)
        if kept is not None and kept.state == "ready":
            self._metrics.environment_asked(language, "hit")
            return kept.digest

        self._metrics.environment_asked(language, "new" if kept is None else "known")
        if kept is not None:
            digest, job = kept.digest, self._building(kept.digest)
        else:

            def resolve() -> tuple[str, Job[None]]:
                resolved = self._resolved(user, declaration, language, declared, lock, refresh=refresh)
                # Begun here: those who asked may not wait any more.
                return resolved, self._building(resolved)

            resolution = self._resolutions.of((user, declaration, refresh), resolve)
            digest, job = resolution.wait(until, lambda: unfinished(None))
        job.wait(until, lambda: unfinished(digest))
        return digest

    def ensure(self, digest: str) -> None:
        """Build a known environment from its lock, unless it is ready. Waits as long as it takes.

        Raises:
            ServiceError: as `environment` has it.
        """
        self._building(digest).result()

    def _building(self, digest: str) -> Job[None]:
        return self._builds.of(digest, lambda: self._made_ready(digest))

    def _resolved(
        self, user: str, declaration: str, language: str, declared: Declared, lock: str, *, refresh: bool
    ) -> str:
        while not refresh and not self._rows.claim_lock(user, declaration, self._lease):
            if (kept := self._rows.kept_lock(user, declaration)) is not None:
                return kept.digest
            gevent.sleep(LOOK_EVERY)
        try:
            with self._renewed(lambda: self._rows.renew_lock(user, declaration, self._lease)):
                resolved = self._reached().resolve(language, *declared, lock or None)
            environment = Environment.of(language, resolved)
            self._rows.put_environment(environment)
            self._rows.keep_lock(user, declaration, environment.digest)
        except BaseException:
            if not refresh:
                with suppress(StoreUnavailable):
                    self._rows.release_lock(user, declaration)
            raise
        return environment.digest

    def _made_ready(self, digest: str) -> None:
        """Build an environment, or wait until another process has built it."""
        seen, build = None, uuid.uuid4().hex
        while True:
            state = self._rows.build_state(digest)
            if state is None:
                raise RuntimeUnavailable("the packages are not known any more: initialize again")
            if state.state == "ready":
                return
            if state.state == "failed" and state.build == seen:
                raise _failure(state)
            if self._rows.claim_build(digest, build, self._lease):
                if state.build is not None:
                    # Of a builder that died, or of what made room.
                    self._parts.drop_parts(digest, state.build)
                self._build(digest, build)
                return
            if state.state == "building":
                seen = state.build
            gevent.sleep(LOOK_EVERY)

    def _build(self, digest: str, build: str) -> None:
        environment, started, outcome = self._rows.environment(digest), monotonic(), "internal_error"
        if environment is None:
            raise RuntimeUnavailable("the packages are not known any more: initialize again")
        try:
            with self._renewed(lambda: self._rows.renew_build(digest, build, self._lease)):
                self._store(environment, build)
            outcome = "ok"
        except ServiceError as error:
            outcome = error.code.lower()
            self._fail(digest, build, error)
            raise
        except Exception:
            self._fail(digest, build, ServiceError("an internal error"))
            raise
        finally:
            self._metrics.environment_built(environment.language, outcome, monotonic() - started)

    def _store(self, environment: Environment, build: str) -> None:
        """Build and store all parts, then make the environment ready: no other order shows a half of it."""
        digest, stored = environment.digest, 0
        with self._reached().build(environment.language, environment.lock) as stream:
            for number, content in enumerate(stream.contents):
                if not self._parts.put_part(digest, build, number, content):
                    raise RuntimeUnavailable("another process installs the packages: try again")
                stored += len(content)
            built = Built(stream.packages, stream.size, stream.built_ms, stream.parts, stored)
        if not self._rows.finish_build(digest, build, built):
            raise RuntimeUnavailable("another process installs the packages: try again")

    def _reached(self) -> Packages:
        if self._packages is None:
            raise RuntimeUnavailable("packages cannot be installed here any more")
        return self._packages

    def _fail(self, digest: str, build: str, error: ServiceError) -> None:
        failure = {"code": error.code, "message": error.message, "details": error.details}
        with suppress(StoreUnavailable):
            self._rows.fail_build(digest, build, failure)
            self._parts.drop_parts(digest, build)

    @contextmanager
    def _renewed(self, renew: Callable[[], bool]) -> Iterator[None]:
        """Renew a lease while the block works."""

        def work() -> None:
            while True:
                gevent.sleep(min(RENEWED_EVERY, self._lease / 3))
                # Without PostgreSQL the lease may run out. The block finds out when it writes.
                with suppress(StoreUnavailable):
                    renew()

        renewing = gevent.spawn(work)
        try:
            yield
        finally:
            renewing.kill()


def unfinished(digest: str | None) -> RuntimeUnavailable:
    """Return the error for packages that are still being installed or sent."""
    error = RuntimeUnavailable("the packages are being installed: try again", details={"environment": digest})
    error.retry_after = RETRY_AFTER
    return error


def _failure(state: BuildState) -> ServiceError:
    """Return the error of another process's build."""
    known: dict[str, Any] = dict(state.failure or {})
    kind = FAILURES.get(known.get("code", ""), ServiceError)
    return kind(known.get("message", "an internal error"), details=known.get("details"))
