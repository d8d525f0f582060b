"""RuntimeClient: the two calls to a language's runtime. How they get there is `controller.transport`'s."""

import base64
import binascii
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Raw

from controller.errors import (
    DeadlinePassed,
    InitializationFailed,
    RateLimited,
    RuntimeUnavailable,
    ScriptFailed,
    ServiceError,
)
from controller.json_text import dumps
from controller.logs import Trace
from controller.models import LanguageTitle, Run, Script, Session
from controller.selector import Route
from controller.tracing import UNTRACED, Tracer
from controller.transport.failures import AnswerLate, CircuitOpen, NoFreeConnection, RequestFailed
from controller.transport.request import Answer, Budget, Request

log = logging.getLogger(__name__)

HEALTH_TIMEOUT = 1.0
"""Seconds a runtime has to say that it is well."""
PASSED_ON: Mapping[str, type[ServiceError]] = {
    error.code: error for error in (InitializationFailed, ScriptFailed, DeadlinePassed, RateLimited)
}
"""A runtime's errors that are the client's to know; any other is between the runtime and us."""
USAGE = ("cpu_time", "memory_usage_bytes", "bytes_in", "bytes_out", "fuel", "cold")
"""What a runtime tells of a run besides its result and its time."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A script that parses or compiles. `artifact_cached` is None for interpreted languages."""

    artifact_cached: bool | None = None
    artifact: bytes | None = None


class ScriptNeeded(Exception):
    """The runtime does not have the script or artifact of this hash."""


class Transport(Protocol):
    """What carries requests, see `controller.transport.balancer`."""

    def send(
        self,
        addresses: Sequence[str],
        key: str,
        request: Request,
        budget: Budget,
        declined: Callable[[Answer], bool],
    ) -> Answer:
        """The answer of one of the addresses, preferred in the order of `key`."""

    def ask(self, address: str, request: Request, budget: Budget) -> Answer:
        """The answer of this address, over a connection of its own."""


class RuntimeClient:
    """Talks to runtimes. A tenant's script goes to the same address each time, where its workers are warm.

    Args:
        secret: what a runtime knows us by.
        timeout: seconds for all but the script's own time: connecting, waiting for a worker, answering.
    """

    def __init__(self, transport: Transport, secret: str, timeout: float, tracer: Tracer = UNTRACED) -> None:
        self._transport = transport
        self._tracer = tracer
        self._secret = {"X-Runtime-Secret": secret}
        self._timeout = timeout

    def prepare(
        self,
        route: Route,
        name: LanguageTitle,
        script: Script,
        *,
        tenant: str,
        compile_options: Mapping[str, Any],
        deadline_ms: int,
        trace: Trace,
    ) -> Prepared:
        """Has a script parsed or compiled; runs nothing of it.

        Raises:
            InitializationFailed: it does not parse or compile.
            RuntimeUnavailable, RateLimited, DeadlinePassed: no answer from the runtime, or not in time.
        """
        body = {
            "tenant": tenant,
            "script_hash": script.hash,
            "script_content": script.content,
            "compile_options": dict(compile_options),
        }
        path = f"/runtime/{route.language}/{name.title}/prepare"
        answer = self._post(route, path, body, deadline_ms, trace)
        artifact = answer.get("artifact")
        if artifact is None:
            return Prepared()
        try:
            return Prepared(bool(answer["artifact_cached"]), base64.b64decode(artifact, validate=True))
        except (binascii.Error, TypeError, KeyError) as error:
            raise _unusable(path, "an artifact that is not base64") from error

    def run(
        self,
        route: Route,
        session: Session,
        params: Raw,
        trace: Trace,
        material: Mapping[str, str] | None = None,
    ) -> Run:
        """Runs a session's script once.

        Args:
            material: `script_content` and, of compiled languages, `artifact` (base64), where the runtime asked.

        Raises:
            ScriptNeeded: the runtime does not have it; call again with `material`.
            ScriptFailed, DeadlinePassed: what became of the script.
            RuntimeUnavailable, RateLimited: it did not run.
        """
        body = {
            "request_id": session.request_id,
            "tenant": session.user_id,
            "script_hash": session.script_hash,
            "params": params,
            "context": _context(session, trace),
            "timeout_ms": session.timeout_ms,
            "isolation": session.isolation,
            "compile_options": dict(session.compile_options),
            **(material or {}),
        }
        path = f"/runtime/{route.language}/{session.name.title}"
        answer = self._post(route, path, body, session.timeout_ms, trace)
        try:
            return Run(
                result=Raw(dumps(answer["result"])),
                execution_time=answer["execution_time"],
                stdout=answer["stdout"],
                stderr=answer["stderr"],
                usage={key: answer.get(key) for key in USAGE},
            )
        except KeyError as error:
            raise _unusable(path, f"an answer without {error}") from error

    def healthy(self, address: str) -> bool:
        """Whether the runtime at this address says that it is well."""
        try:
            answer = self._transport.ask(
                address, Request("/health", b"", method="GET"), Budget.of(HEALTH_TIMEOUT, 0)
            )
        except RequestFailed:
            return False
        return answer.status == 200

    def _post(
        self, route: Route, path: str, body: Mapping[str, Any], deadline_ms: int, trace: Trace
    ) -> dict[str, Any]:
        with self._tracer.call("runtime call", {"lambda.language": route.language}) as span:
            headers = {**self._secret, **trace.headers(), **span.headers()}
            request = Request(path, dumps(body), headers)
            return _document(path, self._sent(route, request, body, deadline_ms), deadline_ms)

    def _sent(self, route: Route, request: Request, body: Mapping[str, Any], deadline_ms: int) -> Answer:
        key = f"{body['tenant']}\0{body['script_hash']}"
        budget = Budget.of(self._timeout, deadline_ms / 1000)
        try:
            return self._transport.send(route.addresses, key, request, budget, declined)
        except AnswerLate as error:
            raise _late(deadline_ms) from error
        except NoFreeConnection as error:
            raise RateLimited("the runtime is at its limit of connections") from error
        except (RequestFailed, CircuitOpen) as error:
            log.warning("no answer to %s: %s", request.path, error)
            raise RuntimeUnavailable("the runtime cannot be reached") from error


def _context(session: Session, trace: Trace) -> dict[str, Any]:
    """What the script sees: its session's context and, unless that has one, the id of the call's trace."""
    told = {} if trace.trace_id is None else {"trace_id": trace.trace_id}
    return {**told, **session.context}


def declined(answer: Answer) -> bool:
    """Whether a runtime says that it does not run anything now: it is ending, or cannot start a process."""
    if answer.status != 503:
        return False
    try:
        return bool(json.loads(answer.body)["error"]["code"] == RuntimeUnavailable.code)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _document(path: str, answer: Answer, deadline_ms: int) -> dict[str, Any]:
    """A runtime's answer, or its error raised as ours."""
    try:
        document = json.loads(answer.body)
        if answer.status == 200:
            return dict(document)
        error = document["error"]
        code, message, details = error["code"], error["message"], error["details"]
    except (ValueError, TypeError, KeyError, RecursionError) as unreadable:
        raise _of_status(path, answer.status, deadline_ms) from unreadable
    if code == "SCRIPT_NEEDED":
        raise ScriptNeeded
    if code in PASSED_ON:
        known = PASSED_ON[code](message, details=details)
        usage = document.get("usage")
        known.usage = usage if isinstance(usage, dict) else None
        raise known
    raise _unusable(path, f"{code}: {message}")


def _of_status(path: str, status: int, deadline_ms: int) -> ServiceError:
    """What of-watchdog or a gateway says in the runtime's place, in words of its own or in none."""
    if status == 504:
        return _late(deadline_ms)
    if status == 429:
        return RateLimited("the runtime is at its concurrency limit")
    return _unusable(path, f"status {status}")


def _late(deadline_ms: int) -> DeadlinePassed:
    return DeadlinePassed("the runtime did not answer in time", details={"timeout_ms": deadline_ms})


def _unusable(path: str, answer: str) -> RuntimeUnavailable:
    log.error("%s was answered %s", path, answer)
    return RuntimeUnavailable("the runtime gave no usable answer")
