"""ExecuteRoute: `POST /{request_id}`, which runs a session's script. Plain WSGI beside Flask: see docs/adr/0016."""

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from controller.call import Call, CallFactory
from controller.json_codec import dumps
from controller.web.cors import OriginPolicy
from controller.web.flask_app import known_failure
from controller.web.id_fallback import ROOTS
from controller.web.route import Route
from controller.web.services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
Headers = list[tuple[str, str]]


class ExecuteRoute:
    """The WSGI application of the function `execute`.

    Args:
        route: its row in the table of routes.
        services: the parts of the service.
        calls: begins the record of each execution.
        origins: the origins with pages that may call. None: no other origin.
        others: answers all other requests.
    """

    def __init__(
        self,
        route: Route,
        services: Services,
        calls: CallFactory,
        origins: OriginPolicy | None,
        others: "WSGIApplication",
    ) -> None:
        self._route = route
        self._address = route.function.address
        self._services = services
        self._calls = calls
        self._origins = origins
        self._others = others
        # Flask's routes take a slash at the end, too.
        self._path = re.compile(re.sub(r"{\w+}", "([^/]+)", route.path) + "/?")

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer an execution, or pass the request on."""
        if self._address is not None and environ["PATH_INFO"] in ROOTS:
            self._address.restore(environ)
        path = self._path.fullmatch(environ["PATH_INFO"])
        if path is None or environ["REQUEST_METHOD"] != self._route.method:
            return self._others(environ, start_response)
        call = self._calls.begin(environ)
        try:
            status, headers, body = self._response(call, path[1], environ)
            headers += call.answered(status).items()
            if self._origins is not None:
                headers += self._origins.headers(environ.get("HTTP_ORIGIN"))
            start_response(STATUS_LINES[status], headers)
            return [body]
        finally:
            call.end()

    def _response(self, call: Call, request_id: str, environ: dict[str, Any]) -> tuple[int, Headers, bytes]:
        headers = [("Content-Type", "application/json")]
        try:
            return 200, headers, self._execute(call, request_id, environ)
        except Exception as error:  # noqa: BLE001 - the boundary: every error becomes a response
            failure = known_failure(error)
            call.failed(failure)
            headers += failure.headers().items()
            return failure.status, headers, dumps(failure.document())

    def _execute(self, call: Call, request_id: str, environ: dict[str, Any]) -> bytes:
        services = self._services
        # The same checks as `Route.admit`, without its struct: this is the hot path.
        body = services.parser.body(environ)
        identity = services.authenticator.identify(environ.get("HTTP_AUTHORIZATION"))
        call.called_by(identity)
        admission = services.limiter.admission(self._route.window, identity, environ.get("REMOTE_ADDR", ""))
        call.admission = admission
        try:
            request = services.parser.execute(request_id, environ, body)
            watch = environ.get("client.hangup", _unwatched)
            # The workflow checks the scope once it has found the session.
            answer = services.workflow.execute(call, identity, request, admission, watch)
            return dumps(answer)
        finally:
            # A failed request costs a slot, too. RateLimited takes precedence over its error.
            admission.charge()


def _unwatched(_: Callable[[], object]) -> None:
    """Ignore the callback: this server cannot tell when a client hangs up."""
