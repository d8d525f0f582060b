"""`run` and `prepare`, the calls that must be fast: plain functions, while Flask serves all other paths.

HTTP and frames lead here. docs/adr/0008 has the cost of Flask, docs/adr/0029 why there are frames.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple
from wsgiref.types import StartResponse

from runtime.errors import BodyTooLarge, NotFound, UnsupportedBody
from runtime.executor import Executor
from runtime.front.call import Call, headers_of
from runtime.front.schemas import RunAnswer, json_object, prepare_request, run_request
from runtime.json_codec import encode
from telemetry.tracing import UNTRACED, Tracer

_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_JSON = "application/json"
_PREPARE = "/prepare"
#: Slashes in the path of a run. That of `prepare` has one more.
_SLASHES = 3


class Answer(NamedTuple):
    """The answer to a call: its status, the headers that only HTTP has, and its JSON."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class RunRoute:
    """The route that prepares a script, or executes it once.

    Args:
        languages: The languages that paths may name.
        executor: Executes the script.
        secret: The shared secret.
        body_max_bytes: Largest body of a request.
        tracer: Starts the span of each request.
    """

    def __init__(
        self,
        languages: Sequence[str],
        executor: Executor,
        secret: bytes,
        body_max_bytes: int,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._tracer = tracer
        titled = rf"/runtime/(?:{'|'.join(languages)})/[A-Za-z0-9][A-Za-z0-9._-]{{0,63}}"
        self._path = re.compile(rf"{titled}(?:{_PREPARE})?")
        self._calls = {"run": self._run, "prepare": self._prepare}
        self._executor = executor
        self._secret = secret
        self._body_max_bytes = body_max_bytes

    def takes(self, environ: Mapping[str, Any]) -> bool:
        """Return whether a request is for this route."""
        return environ["REQUEST_METHOD"] == "POST" and bool(self._path.fullmatch(environ["PATH_INFO"]))

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        """Answer an HTTP request for which `takes` is true."""
        answer = self._answer(environ, self._http_body)
        length = ("Content-Length", str(len(answer.body)))
        start_response(_STATUS_LINES[answer.status], [("Content-Type", _JSON), length, *answer.headers])
        return [answer.body]

    def framed(self, environ: Mapping[str, Any], body: bytes) -> Answer:
        """Answer a call that came as a frame, whose connection has proved that it knows the secret.

        Args:
            environ: What of a WSGI environ `Call` reads.
            body: Its JSON.
        """

        def known(call: Call, environ: Mapping[str, Any]) -> bytes:
            if not self.takes(environ):
                raise NotFound("there is no such call")
            return body

        return self._answer(environ, known)

    def _answer(
        self, environ: Mapping[str, Any], read_body: Callable[[Call, Mapping[str, Any]], bytes]
    ) -> Answer:
        """Answer a call. `read_body` does the checks that its transport asks for, and returns its body."""
        name = "prepare" if environ["PATH_INFO"].count("/") > _SLASHES else "run"
        with Call(environ, self._tracer.request(name, environ)) as call:
            status, headers = 200, []
            try:
                body = read_body(call, environ)
                # The path has been checked: /runtime/{language}/{title}
                language = environ["PATH_INFO"].split("/", 3)[2]
                answer = self._calls[name](call, language, body)
            except Exception as error:  # noqa: BLE001 - the one place that turns errors into responses
                known, document = call.failure(error)
                status, headers, answer = known.status, headers_of(known), encode(document)
            if call.id is not None:
                headers.append(("X-Request-ID", call.id))
            call.log(status)
            self._executor.metrics.answered(name, call.outcome)
            return Answer(status, headers, answer)

    def _run(self, call: Call, language: str, body: bytes) -> bytes:
        reference, arguments = run_request(language, body, call.of_session)
        call.user = reference.tenant
        call.end_with_client()
        done = self._executor.run(reference, arguments)
        return encode(RunAnswer(done.result, done.stdout, done.stderr, *done.usage))

    def _prepare(self, call: Call, language: str, body: bytes) -> bytes:
        """Parse or compile a script without running it."""
        reference = prepare_request(language, json_object(body))
        call.user = reference.tenant
        call.end_with_client()
        script, known = self._executor.prepare(reference)
        if script.artifact is None:
            return encode({"artifact_cached": known})
        return encode({"artifact_cached": known, "artifact": base64.b64encode(script.artifact).decode()})

    def _http_body(self, call: Call, environ: Mapping[str, Any]) -> bytes:
        """Return the body. Raises Unauthorized, UnsupportedBody, BodyTooLarge."""
        call.check_secret(self._secret)
        if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != _JSON:
            raise UnsupportedBody(f"Content-Type must be {_JSON}")
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > self._body_max_bytes:
            raise BodyTooLarge("the body is too large")
        body: bytes = environ["wsgi.input"].read(int(length))
        return body
