"""What stands in for the stores' connections and for the runtimes: the rest of the heart's tests is real."""

import json
from collections.abc import Mapping
from typing import Any

import gevent
from gevent.event import Event
from msgspec import Raw

from controller.errors import (
    DeadlinePassed,
    InitializationFailed,
    RateLimited,
    ScriptFailed,
)
from controller.models.outcome import Run
from controller.models.registered import LanguageTitle, Script, ScriptPayload, Session
from controller.observability.correlation import CorrelationIds
from controller.runtimes.client import Prepared
from controller.runtimes.responses import ScriptNeeded
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
    ) -> Prepared:
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

    def _hold(self) -> None:
        try:
            self._released.wait()
        except gevent.GreenletExit:
            self.abandoned += 1
            raise


def settle() -> None:
    """Let all greenlets get as far as they can."""
    gevent.idle()
