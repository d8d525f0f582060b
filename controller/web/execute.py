"""`POST /{request_id}`: runs a session's script. Plain WSGI beside Flask: see docs/adr/0016."""

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from controller.exchange import Exchange, Reception
from controller.json_codec import dumps
from controller.web.cors import OriginPolicy
from controller.web.flask_app import known_failure
from controller.web.views import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
Headers = list[tuple[str, str]]


class ExecuteRoute:
    """The WSGI application of the function `execute`.

    Args:
        others: answers all requests but an execution.
    """

    def __init__(
        self, services: Services, reception: Reception, origins: OriginPolicy, others: "WSGIApplication"
    ) -> None:
        self._services = services
        self._reception = reception
        self._origins = origins
        self._others = others
        self._path = re.compile(r"/([^/]+)")

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        path = self._path.fullmatch(environ["PATH_INFO"])
        if path is None or environ["REQUEST_METHOD"] != "POST":
            return self._others(environ, start_response)
        exchange = self._reception.begin(environ)
        try:
            status, headers, body = self._answer(exchange, path[1], environ)
            headers += exchange.answered(status).items()
            headers += self._origins.headers(environ.get("HTTP_ORIGIN"))
            start_response(STATUS_LINES[status], headers)
            return [body]
        finally:
            exchange.end()

    def _answer(
        self, exchange: Exchange, request_id: str, environ: dict[str, Any]
    ) -> tuple[int, Headers, bytes]:
        headers = [("Content-Type", "application/json")]
        try:
            return 200, headers, self._executed(exchange, request_id, environ)
        except Exception as error:  # noqa: BLE001 - the one boundary between what went wrong and what is told
            failure = known_failure(error)
            exchange.failed(failure)
            headers += failure.headers().items()
            return failure.status, headers, dumps(failure.document())

    def _executed(self, exchange: Exchange, request_id: str, environ: dict[str, Any]) -> bytes:
        services = self._services
        body = services.parser.body(environ)
        identity = services.authenticator.identify(environ.get("HTTP_AUTHORIZATION"))
        exchange.called_by(identity)
        admission = services.limiter.admission("execute", identity, environ.get("REMOTE_ADDR", ""))
        exchange.admission = admission
        with admission:
            call = services.parser.execute(request_id, environ, body, exchange.trace)
            watch = environ.get("client.hangup", _unwatched)
            answer = services.workflow.execute(identity, call, admission, watch)
            exchange.counted = True
            return dumps(answer.document())


def _unwatched(_: Callable[[], object]) -> None:
    """For servers that cannot tell when a client hangs up."""
