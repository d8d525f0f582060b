"""`POST /runtime/{language}/{title}`, the call that must be fast: plain WSGI, while Flask serves all other paths.

docs/adr/0008 has the cost of Flask here.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse

from runtime.errors import BodyTooLarge, InvalidRequest, UnsupportedBody
from runtime.executor import Executor
from runtime.frames import FrameError
from runtime.front.call import Call, headers_of
from runtime.front.schemas import run_request
from runtime.json_codec import decode, encode
from telemetry.tracing import UNTRACED, Tracer

_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_JSON = "application/json"


class RunRoute:
    """The route that executes a script once.

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
        self._path = re.compile(rf"/runtime/(?:{'|'.join(languages)})/[A-Za-z0-9][A-Za-z0-9._-]{{0,63}}")
        self._executor = executor
        self._secret = secret
        self._body_max_bytes = body_max_bytes

    def takes(self, environ: Mapping[str, Any]) -> bool:
        """Return whether a request is for this route."""
        return environ["REQUEST_METHOD"] == "POST" and bool(self._path.fullmatch(environ["PATH_INFO"]))

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        """Answer a request for which `takes` is true."""
        with Call(environ, self._tracer.request("run", environ)) as call:
            return self._answered(call, environ, start_response)

    def _answered(self, call: Call, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        status, extra = 200, []
        try:
            call.check_secret(self._secret)
            body = self._run(call, environ)
        except Exception as error:  # noqa: BLE001 - the one place that turns errors into responses
            known, document = call.failure(error)
            status, extra, body = known.status, headers_of(known), encode(document)
        headers = [("Content-Type", _JSON), ("Content-Length", str(len(body))), *extra]
        if call.id is not None:
            headers.append(("X-Request-ID", call.id))
        start_response(_STATUS_LINES[status], headers)
        call.log(status)
        self._executor.metrics.answered("run", call.outcome)
        return [body]

    def _run(self, call: Call, environ: Mapping[str, Any]) -> bytes:
        body = self._body(environ)
        session = body.get("request_id")
        call.session = session if isinstance(session, str) else None
        # `takes` has checked the path: /runtime/{language}/{title}
        reference, arguments = run_request(environ["PATH_INFO"].split("/", 3)[2], body)
        call.user = reference.tenant
        call.end_with_client()
        done = self._executor.run(reference, **arguments)
        return encode(
            {
                "result": done.result,
                "stdout": done.stdout,
                "stderr": done.stderr,
                **done.usage._asdict(),
            }
        )

    def _body(self, environ: Mapping[str, Any]) -> dict[str, Any]:
        """Return the object in the body. Raises UnsupportedBody, BodyTooLarge, InvalidRequest."""
        if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != _JSON:
            raise UnsupportedBody(f"Content-Type must be {_JSON}")
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > self._body_max_bytes:
            raise BodyTooLarge("the body is too large")
        return json_object(environ["wsgi.input"].read(int(length)))


def json_object(body: bytes) -> dict[str, Any]:
    """Return the object in a body.

    Raises:
        InvalidRequest: The body is no JSON object.
    """
    try:
        return decode(body)
    except FrameError as error:
        raise InvalidRequest(f"the body is no JSON object: {error}") from error
