"""RuntimeClient: the calls to a runtime. `controller.runtimes.transport` carries them."""

import base64
import binascii
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import Raw

from controller.errors import RateLimited, RuntimeUnavailable
from controller.json_codec import dumps
from controller.models.outcome import Run
from controller.models.registered import LanguageTitle, Script, ScriptPayload, Session
from controller.observability.correlation import CorrelationIds
from controller.runtimes.responses import declined, late, read_document, read_run, unusable
from controller.runtimes.selector import RuntimeRoute
from controller.runtimes.transport.balancer import ranked
from controller.runtimes.transport.failures import AnswerLate, CircuitOpen, NoFreeConnection, RequestFailed
from controller.runtimes.transport.messages import Answer, Budget, Request, header_lines
from telemetry.tracing import UNTRACED, Tracer

log = logging.getLogger(__name__)

T = TypeVar("T")
#: Milliseconds that a runtime may take to check and lay out an environment of the largest size.
LAY_OUT_DEADLINE_MS = 60_000
BYTES = "application/octet-stream"
#: Timeout of a health check, in seconds.
HEALTH_TIMEOUT = 1.0
#: The same of a probe that starts a confined process.
ISOLATION_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A script that parses or compiles. `artifact_cached` is None for interpreted languages."""

    artifact_cached: bool | None = None
    artifact: bytes | None = None


class Layers(msgspec.Struct):
    """What a runtime tells of the layers that confine its workers."""

    layers: dict[str, bool]


_LAYERS = msgspec.json.Decoder(Layers)


class Destination(NamedTuple):
    """Where a tenant's script runs: the key gives the order of the addresses."""

    route: RuntimeRoute
    key: str

    @classmethod
    def of(cls, route: RuntimeRoute, tenant: str, script_hash: str) -> "Destination":
        """Return where the script of a tenant runs."""
        return cls(route, f"{tenant}\0{script_hash}")

    @property
    def first(self) -> str:
        """The address that is asked first."""
        return ranked(self.route.addresses, self.key)[0]


class PartRefused(Exception):
    """The runtime found a part of an environment to be wrong, and has forgotten those that it had."""


class Transport(Protocol):
    """Sends requests to runtimes, see `controller.runtimes.transport.balancer`."""

    def send(
        self,
        addresses: Sequence[str],
        key: str,
        request: Request,
        budget: Budget,
        declined: Callable[[Answer], bool],
    ) -> Answer:
        """Return the answer of one of the addresses, tried in the order of `key`."""

    def ask(self, address: str, request: Request, budget: Budget) -> Answer:
        """Return the answer of this address, over a new connection."""


class RuntimeClient:
    """Calls runtimes. A tenant's script goes to the same address each time, where its workers are warm.

    Args:
        transport: sends the requests.
        secret: the shared secret that authenticates the controller.
        timeout: seconds for everything but the script's run: connecting, waiting for a worker, answering.
        tracer: makes a span of each call.
    """

    def __init__(self, transport: Transport, secret: str, timeout: float, tracer: Tracer = UNTRACED) -> None:
        self._transport = transport
        self._tracer = tracer
        self._secret = header_lines({"X-Runtime-Secret": secret})
        self._timeout = timeout

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
        """Parse or compile a script without running it.

        Raises:
            EnvironmentNeeded: the runtime lacks parts of the environment. Send them, and call again.
            InitializationFailed: the script does not parse or compile.
            RuntimeUnavailable, RateLimited, DeadlinePassed: the runtime gave no answer, or a late one.
        """
        body: dict[str, Any] = {
            "tenant": tenant,
            "script_hash": script.hash,
            "script_content": script.content,
            "compile_options": compile_options,
        }
        if environment is not None:
            body["environment"] = environment
        path = f"/runtime/{route.language}/{name.title}/prepare"
        answer = self._post(route, path, body, deadline_ms, ids, read_document)
        artifact = answer.get("artifact")
        if artifact is None:
            return Prepared()
        try:
            return Prepared(bool(answer["artifact_cached"]), base64.b64decode(artifact, validate=True))
        except (binascii.Error, TypeError, KeyError) as error:
            raise unusable(path, "an artifact that is not base64") from error

    def run(
        self,
        route: RuntimeRoute,
        session: Session,
        params: Raw,
        ids: CorrelationIds,
        payload: ScriptPayload | None = None,
    ) -> Run:
        """Run a session's script once.

        Args:
            route: the runtime.
            session: the session.
            params: the params as JSON.
            ids: the ids of the request.
            payload: the script and, for compiled languages, its artifact, if the runtime asks.

        Raises:
            ScriptNeeded: the runtime lacks the script. Call again with `payload`.
            EnvironmentNeeded: the runtime lacks parts of the environment. Send them, and call again.
            ScriptFailed, DeadlinePassed: the script failed.
            RuntimeUnavailable, RateLimited: the script did not run.
        """
        body: dict[str, Any] = {
            "request_id": session.request_id,
            "tenant": session.user_id,
            "script_hash": session.script_hash,
            "params": params,
            "context": _context(session, ids),
            "timeout_ms": session.timeout_ms,
            "isolation": session.isolation,
            "compile_options": session.compile_options,
        }
        if session.environment is not None:
            body["environment"] = session.environment
        if payload is not None:
            body |= payload
        path = f"/runtime/{route.language}/{session.name.title}"
        return self._post(route, path, body, session.timeout_ms, ids, read_run)

    def send_part(self, to: Destination, digest: str, part: int, content: bytes) -> None:
        """Send a part of an environment. With the last one that it lacks, the runtime lays the environment out.

        Raises:
            PartRefused: the part is wrong, or does not fit those before.
            RuntimeUnavailable, RateLimited, DeadlinePassed: the runtime gave no answer, or a late one.
        """
        path = f"/runtime/{to.route.language}/environments/{digest}/{part}"
        request = Request(path, content, method="PUT", content_type=BYTES, constant=self._secret)
        answer = self._sent(to, request, LAY_OUT_DEADLINE_MS)
        if answer.status == 400:
            log.warning("%s was refused: %s", path, answer.body[:500])
            raise PartRefused
        if answer.status != 204:
            read_document(path, answer, LAY_OUT_DEADLINE_MS)
            raise unusable(path, f"status {answer.status}")

    def healthy(self, address: str) -> bool:
        """Return whether the runtime at this address reports that it is healthy."""
        try:
            answer = self._transport.ask(
                address, Request("/health", b"", method="GET"), Budget.of(HEALTH_TIMEOUT, 0)
            )
        except RequestFailed:
            return False
        return answer.status == 200

    def isolation(self, address: str) -> Mapping[str, bool] | None:
        """Return which layers confine the workers of the runtime at this address. None: it gave no answer."""
        request = Request("/isolation", b"", method="GET", constant=self._secret)
        try:
            answer = self._transport.ask(address, request, Budget.of(ISOLATION_TIMEOUT, 0))
            return _LAYERS.decode(answer.body).layers if answer.status == 200 else None
        except (RequestFailed, msgspec.DecodeError):
            return None

    def _post(
        self,
        route: RuntimeRoute,
        path: str,
        body: Mapping[str, Any],
        deadline_ms: int,
        ids: CorrelationIds,
        read: Callable[[str, Answer, int], T],
    ) -> T:
        with self._tracer.call("runtime call", {"lambda.language": route.language}) as span:
            headers = {**ids.headers(), **span.headers()}
            request = Request(path, dumps(body), headers, constant=self._secret)
            to = Destination.of(route, body["tenant"], body["script_hash"])
            return read(path, self._sent(to, request, deadline_ms), deadline_ms)

    def _sent(self, to: Destination, request: Request, deadline_ms: int) -> Answer:
        budget = Budget.of(self._timeout, deadline_ms / 1000)
        try:
            return self._transport.send(to.route.addresses, to.key, request, budget, declined)
        except AnswerLate as error:
            raise late(deadline_ms) from error
        except NoFreeConnection as error:
            raise RateLimited("the runtime is at its limit of connections") from error
        except (RequestFailed, CircuitOpen) as error:
            log.warning("no answer to %s: %s", request.path, error)
            raise RuntimeUnavailable("the runtime cannot be reached") from error


def _context(session: Session, ids: CorrelationIds) -> Mapping[str, Any]:
    """Return the context for the script: its session's context plus the trace id, unless the context has one."""
    if ids.trace_id is None:
        return session.context
    return {"trace_id": ids.trace_id, **session.context}
