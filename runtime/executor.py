"""Prepares and runs scripts of one language. It combines script store, compiler, pool and workers."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import gevent
from gevent.event import Event
from greenlet import greenlet

from runtime.environments.provision import Provision
from runtime.errors import RuntimeUnavailable, ServiceError, WorkerLost
from runtime.json_codec import Object
from runtime.languages.base import Language, Libraries, Script
from runtime.metrics import RuntimeMetrics
from runtime.pool.checker import Checker
from runtime.pool.idle import Key
from runtime.pool.pool import Bounds, Pool
from runtime.pool.reserve import Reserve
from runtime.process.folder_locks import clear_abandoned
from runtime.process.hints import Allowed
from runtime.process.limits_watcher import Limits, LimitsWatcher
from runtime.process.process import Launch, Process
from runtime.process.spawner import Spawner
from runtime.process.worker import Execution, Worker
from runtime.scripts.compiled import CompiledScripts, ScriptReference, ScriptStore
from runtime.settings import Settings
from telemetry.tracing import UNTRACED, Tracer

T = TypeVar("T")

#: Memory of a worker before its script allocates any.
_SHARED_BYTES = 64 << 20
#: Seconds in which running requests may send their error at shutdown.
_LAST_ANSWERS_TIMEOUT = 1.0


class RunArguments(NamedTuple):
    """What a run is given.

    Attributes:
        params: Parameters of the script.
        context: Context of the script.
        timeout_ms: Most milliseconds for loading and running it.
        isolated: Whether to use a new process that serves no other run.
    """

    params: Object
    context: dict[str, Any]
    timeout_ms: int
    isolated: bool


class Executor:
    """The runtime of one language. It is also the `Host` of that language."""

    def __init__(
        self, language: Language, settings: Settings, metrics: RuntimeMetrics, tracer: Tracer = UNTRACED
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self._tracer = tracer
        self._language = language
        self._allowed = Allowed(language.name, settings.network)
        self._scripts = CompiledScripts(language, self, ScriptStore(settings.scripts_max_bytes), metrics)
        clear_abandoned(settings.state)
        self._environments = Provision(
            language, settings, metrics, lambda: self._pool.end_idle(lambda key: bool(key.environment))
        )
        self._spawner = Spawner(language.preload(), settings.state, settings.output_max_bytes)
        self._limits_watcher = LimitsWatcher(
            Limits(settings.memory_max_bytes + _SHARED_BYTES, settings.files_max_bytes, settings.threads_max)
        )
        self._reserve = Reserve(
            self.worker,
            settings.reserve,
            settings.worker_idle_ttl,
            lambda worker: worker.rehearse(settings.prepare_timeout),
        )
        self._checker = Checker(self._reserve.take)
        self._pool = Pool(
            self._start_worker,
            Bounds(
                size=settings.workers_max,
                per_key=settings.workers_per_script_max,
                idle_bytes=settings.pool_memory_max_bytes,
                idle_ttl=settings.worker_idle_ttl,
                queue_timeout=settings.queue_timeout / 1000,
                queue_max=settings.queue_max,
            ),
            self._waited,
        )
        metrics.follow(lambda: {**self._pool.counts(), "blank": len(self._reserve)})
        self._draining = False
        self._running: set[greenlet] = set()
        self._all_ended = Event()
        self._spawner.require_layers(language.launch().confinement, settings.isolation_required)

    def start(self, launch: Launch) -> Process:
        """Start a confined process outside of the pool, such as a compiler. The caller closes it.

        Raises:
            RuntimeUnavailable: No process can be started.
        """
        self._reserve.expect()  # a worker is wanted as soon as the compiler has ended
        return self._spawner.start(launch)

    def worker(self) -> Worker:
        """Start a worker of this language outside of the pool. The caller closes it.

        Raises:
            RuntimeUnavailable: No process can be started.
        """
        return Worker.of(
            self._spawner.start(self._environments.launch()),
            self._limits_watcher,
            self.settings.result_max_bytes,
            counts_fuel=self._language.counts_fuel,
            allowed=self._allowed,
        )

    def prepare(self, reference: ScriptReference) -> tuple[Script, bool]:
        """Parse or compile a script without running it, and leave a warm worker for it in the pool.

        A script that comes in a burst may be parsed only.

        Returns:
            The script, and whether it was known before.

        Raises:
            EnvironmentNeeded: The runtime does not hold the environment.
            InitializationFailed: The script does not parse or compile.
        """
        self._begin()
        try:
            self._environments.check(reference.environment)
            script, known = self._scripts.compiled(reference)

            def load(worker: Worker) -> None:
                if not worker.loaded:
                    with self._tracer.step("script load"):
                        payload = self._load_payload(script, worker, reference.environment)
                        worker.load(payload, "parse", self.settings.prepare_timeout)

            key = _key(reference, script)
            if not self._in_order(key, script):
                self._with_worker(key, load)
            return script, known
        finally:
            self._end()

    def run(self, reference: ScriptReference, arguments: RunArguments) -> Execution:
        """Execute a script once.

        Raises:
            EnvironmentNeeded: The runtime does not hold the environment.
            ScriptNeeded: The runtime does not hold the script.
            RateLimited: No worker was free in time.
            ServiceError: The run failed; see `Worker.run`.
        """
        self._begin()
        try:
            self._environments.check(reference.environment)
            script, _ = self._scripts.compiled(reference)
            params, context, timeout_ms, isolated = arguments

            def execute(worker: Worker) -> Execution:
                payload = None if worker.loaded else self._load_payload(script, worker, reference.environment)
                with self._tracer.step("script run") as span:
                    span.note({"faas.coldstart": payload is not None})
                    try:
                        done = worker.run(params, context, timeout_ms, payload)
                    except BaseException as error:
                        self._note_failure(worker, error)
                        raise
                self.metrics.ran(done.usage)
                return done

            return self._with_worker(_key(reference, script), execute, fresh=isolated)
        finally:
            self._end()

    def receive(self, digest: str, part: int, body: bytes) -> None:
        """Take a part of an environment, see `Environments.receive`."""
        self._begin()
        try:
            self._environments.receive(digest, part, body)
        finally:
            self._end()

    @property
    def languages(self) -> tuple[str, ...]:
        """The names that paths may have for this runtime's language; the first is the runtime's own."""
        return (self._language.name, *self._language.dialects)

    def isolation(self) -> dict[str, bool]:
        """Return which layers of confinement are active, as a probe process finds them."""
        return self._spawner.probe(self._language.launch().confinement)

    def libraries(self) -> Libraries:
        """Return what scripts may import."""
        return self._language.libraries(self)

    def workers(self) -> dict[str, int]:
        """Return the numbers of idle and busy workers and of waiting requests.

        Raises:
            RuntimeUnavailable: The runtime is shutting down, or no process can be started.
        """
        self._check_open()
        self._spawner.ready()
        return self._pool.counts()

    def drain(self) -> None:
        """Refuse new work; requests that run or wait continue. Does not wait, so a signal handler may call it."""
        self._draining = True

    def close(self) -> None:
        """End all processes. To let running requests finish, call `drain` and wait first."""
        # 1. No new request starts.
        self.drain()
        # 2. Idle workers end now, busy ones when they are given back.
        self._pool.close()
        # 3. Requests that still wait or run fail with RuntimeUnavailable and give their workers back.
        for running in self._running:
            gevent.kill(running, RuntimeUnavailable("this runtime is ending"))
        if self._running:
            self._all_ended.wait(_LAST_ANSWERS_TIMEOUT)
        # 4. No request uses workers any more.
        self._checker.close()
        self._reserve.close()
        self._limits_watcher.close()
        # 5. The fork server kills the remaining processes and removes their folders.
        self._spawner.close()
        self._environments.close()

    def _waited(self, seconds: float) -> None:
        self.metrics.waited(seconds)
        self._tracer.took("queue", seconds)

    def _start_worker(self) -> Worker:
        with self._tracer.step("worker start"):
            return self._reserve.take()

    def _note_failure(self, worker: Worker, error: BaseException) -> None:
        if isinstance(error, WorkerLost):
            return  # nothing ran
        if isinstance(error, ServiceError) and error.usage is not None:
            self.metrics.ran(error.usage)
        if not worker.alive:
            self.metrics.killed(error)

    def _with_worker(self, key: Key, use: Callable[[Worker], T], *, fresh: bool = False) -> T:
        try:
            with self._pool.lease(key, fresh=fresh) as worker:
                return use(worker)
        except WorkerLost:
            # The worker ended between two calls, unnoticed. Nothing of this call has run: try once more.
            with self._pool.lease(key, fresh=fresh) as worker:
                return use(worker)

    def _in_order(self, key: Key, script: Script) -> bool:
        """Return whether a script is in order, and no worker should load it now."""
        if (
            not self._language.checks
            or key.environment
            or self._pool.keeps(key)
            or self._checker.loads_ahead()
        ):
            return False
        with self._tracer.step("script check"):
            return self._checker.in_order(script.hash, script.content)

    def _load_payload(self, script: Script, worker: Worker, environment: str) -> dict[str, Any]:
        payload = self._language.load_payload(script, worker.process.folder, self)
        return payload | self._environments.members(environment, worker)

    def _begin(self) -> None:
        """Register the current greenlet as a running request until `_end`. Raises RuntimeUnavailable."""
        self._check_open()
        self._running.add(gevent.getcurrent())

    def _end(self) -> None:
        self._running.discard(gevent.getcurrent())
        self._reserve.refill()
        if self._draining and not self._running:
            self._all_ended.set()

    def _check_open(self) -> None:
        if self._draining:
            raise RuntimeUnavailable("this runtime is ending")


def _key(reference: ScriptReference, script: Script) -> Key:
    return Key(reference.tenant, script.hash, script.options, reference.environment)
