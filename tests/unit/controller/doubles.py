"""What stands in for the stores' connections and for the runtimes: the rest of the heart's tests is real."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import gevent
from gevent.event import Event
from msgspec import Raw

from controller.errors import (
    DeadlinePassed,
    InitializationFailed,
    RateLimited,
    RuntimeUnavailable,
    ScriptFailed,
)
from controller.models.environments import Environment, Resolved
from controller.models.outcome import Run
from controller.models.registered import LanguageTitle, Script, ScriptPayload, Session
from controller.observability.correlation import CorrelationIds
from controller.runtimes.client import Destination, Prepared
from controller.runtimes.packages_client import BuildStream
from controller.runtimes.responses import EnvironmentNeeded, ScriptNeeded
from controller.runtimes.selector import RuntimeRoute

FAILURES = {error.code: error for error in (ScriptFailed, DeadlinePassed, RateLimited)}


class Outage:
    """Stands before a store: hands calls on and counts them, or raises while the store is `away`."""

    def __init__(self, store: object, error: type[Exception]) -> None:
        self.store = store
        self._error = error
        self.away = False
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)

        def ask(*args: Any, **kwargs: Any) -> Any:
            if self.away:
                raise self._error(f"{name}: the store is away")
            self.asked.append(name)
            return method(*args, **kwargs)

        return ask


class HeldRuntime:
    """A runtime that does what the params say. It takes the part of `RuntimeClient`.

    Params of an execution: `held`: the run ends when it is released; `fails`: the code of its error; `breaks`: it
    raises what is no error of the service. The result is how many runs began so far.
    """

    def __init__(self) -> None:
        self.runs = 0
        #: The JSON text that all runs answer instead of their number.
        self.result: bytes | None = None
        self.abandoned = 0
        self.prepared: list[str] = []
        self.payloads: list[ScriptPayload] = []
        self.artifact: bytes | None = None
        self.scripts: set[str] = set()
        #: Those of the runs, in their order.
        self.sessions: list[Session] = []
        #: Whether it takes the scripts that it is given.
        self.takes = True
        #: The parts that it has, by environment, and how many each has. Without the first it does not know.
        self.environments: dict[str, set[int]] = {}
        self.parts = 3
        #: What happens when it is sent a part: the errors that it raises, one after the other.
        self.refusals: list[Exception] = []
        #: The addresses that were asked what confines their workers.
        self.probes: list[str] = []
        self._released = Event()

    def release(self) -> None:
        """Let the held runs end, and those to come."""
        self._released.set()
        settle()

    def prepare(
        self,
        route: RuntimeRoute,
        name: LanguageTitle,
        script: Script,
        *,
        tenant: str,
        compile_options: Mapping[str, Any],
        deadline_ms: int,
        ids: CorrelationIds,
        environment: str | None = None,
    ) -> Prepared:
        self._require(environment)
        if script.content == "broken":
            raise InitializationFailed("it does not parse")
        self.prepared.append(script.content)
        self.scripts.add(script.hash)
        return Prepared() if self.artifact is None else Prepared(False, self.artifact)

    def run(
        self,
        route: RuntimeRoute,
        session: Session,
        params: Raw,
        ids: CorrelationIds,
        payload: ScriptPayload | None = None,
    ) -> Run:
        self._require(session.environment)
        if payload is not None and self.takes:
            self.payloads.append(payload)
            self.scripts.add(session.script_hash)
        if session.script_hash not in self.scripts:
            raise ScriptNeeded
        self.runs += 1
        self.sessions.append(session)
        number, asked = self.runs, json.loads(bytes(params))
        if asked.get("held"):
            self._hold()
        if "breaks" in asked:
            raise ArithmeticError("not an error of the service")
        if "fails" in asked:
            raise FAILURES[asked["fails"]](f"run {number}")
        return Run(Raw(self.result or str(number).encode()), 1.5, usage={"cold": True})

    def isolation(self, address: str) -> Mapping[str, bool] | None:
        self.probes.append(address)
        return None if address.endswith("rust") else {"seccomp": True}

    def send_part(self, to: Destination, digest: str, part: int, content: bytes) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        assert content == part_of(digest, part)
        self.environments.setdefault(digest, set()).add(part)

    def _require(self, digest: str | None) -> None:
        if digest is not None:
            missing = set(range(self.parts)) - self.environments.get(digest, set())
            if missing:
                raise EnvironmentNeeded([0] if 0 in missing else sorted(missing))

    def _hold(self) -> None:
        try:
            self._released.wait()
        except gevent.GreenletExit:
            self.abandoned += 1
            raise


def part_of(digest: str, part: int) -> bytes:
    """The content of a part."""
    return f"{digest} {part}".encode()


class HeldPackages:
    """The function `packages`: it resolves what it is told to, and counts."""

    def __init__(self) -> None:
        self.resolved: list[tuple[str, tuple[str, ...], str | None, str | None]] = []
        self.built: list[str] = []
        self.parts = 3
        #: Makes a refreshed declaration resolve to another lock.
        self.newest = 1
        #: Raised by the next calls, one after the other.
        self.failures: list[Exception] = []
        #: Parts after which a build fails.
        self.breaks_after: int | None = None
        self.released = Event()
        self.released.set()

    def resolve(
        self, language: str, packages: Sequence[str], requires_python: str | None, lock: str | None
    ) -> Resolved:
        self.resolved.append((language, tuple(packages), requires_python, lock))
        self.released.wait()
        if self.failures:
            raise self.failures.pop(0)
        text = lock or "".join(f"{package}=={self.newest}\n" for package in packages)
        return Resolved(text, "3.11", "linux", [{"name": package, "version": "1"} for package in packages])

    @contextmanager
    def build(self, language: str, lock: str) -> Iterator[BuildStream]:
        self.built.append(lock)
        self.released.wait()
        if self.failures:
            raise self.failures.pop(0)
        digest = Environment.of(language, Resolved(lock, "3.11", "linux", [])).digest
        yield BuildStream([], 10, 5, self.parts, self._contents(digest))

    def _contents(self, digest: str) -> Iterator[bytes]:
        for part in range(self.parts):
            if part == self.breaks_after:
                self.breaks_after = None
                raise RuntimeUnavailable("the stream ended early")
            yield part_of(digest, part)


def settle() -> None:
    """Let all greenlets get as far as they can."""
    gevent.idle()
