"""ExecuteRoute: `POST /{request_id}`, which runs a session's script, and ExecuteByNameRoute, which runs a function.

Plain WSGI beside Flask: see docs/adr/0016.
"""

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from controller.call import Call, CallFactory
from controller.execution.flights import Watch
from controller.json_codec import dumps
from controller.limits.rate_limit import Admission
from controller.models.registered import Identity
from controller.models.responses import ExecuteAnswer
from controller.web.cors import OriginPolicy
from controller.web.flask_app import known_failure
from controller.web.id_fallback import ROOTS, Address
from controller.web.route import Route
from controller.web.services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
Headers = list[tuple[str, str]]
#: Where the functions `functions` and `execute` find the reference if the path has none.
BY_NAME = Address("function", "X-Function")


class Execution(NamedTuple):
    """A request that has passed the checks before its body is parsed."""

    call: Call
    identity: Identity
    path_id: str
    environ: dict[str, Any]
    body: bytes
    admission: Admission
    watch: Watch


class ExecuteRoute:
    """The WSGI application of the function `execute`.

    Args:
        route: its row in the table of routes.
        services: the parts of the service.
        calls: begins the record of each execution.
        origins: the origins with pages that may call. None: no other origin.
        others: answers all other requests.
    """

    #: Flask's routes take a slash at the end, too.
    PATH = re.compile("/([^/]+)/?")

    def __init__(
        self,
        route: Route,
        services: Services,
        calls: CallFactory,
        origins: OriginPolicy | None,
        others: "WSGIApplication",
    ) -> None:
        self._route = route
        self._services = services
        self._calls = calls
        self._origins = origins
        self._others = others

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer an execution, or pass the request on."""
        if environ["PATH_INFO"] in ROOTS:
            self._restore(environ)
        path = self.PATH.fullmatch(environ["PATH_INFO"])
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

    def _restore(self, environ: dict[str, Any]) -> None:
        """Put the id into a path without one, if it is elsewhere."""
        if (address := self._route.function.address) is not None:
            address.restore(environ)

    def _response(self, call: Call, request_id: str, environ: dict[str, Any]) -> tuple[int, Headers, bytes]:
        headers = [("Content-Type", "application/json")]
        try:
            return 200, headers, self._execute(call, request_id, environ)
        except Exception as error:  # noqa: BLE001 - the boundary: every error becomes a response
            failure = known_failure(error)
            call.failed(failure)
            headers += failure.headers().items()
            return failure.status, headers, dumps(failure.document())

    def _execute(self, call: Call, path_id: str, environ: dict[str, Any]) -> bytes:
        services = self._services
        # The same checks as `Route.admit`, without its struct: this is the hot path.
        body = services.parser.body(environ)
        address = environ.get("REMOTE_ADDR", "")
        identity = services.authenticator.identify(environ.get("HTTP_AUTHORIZATION"), address)
        call.called_by(identity)
        admission = services.limiter.admission(self._route.window, identity, address)
        call.admission = admission
        try:
            watch = environ.get("client.hangup", _unwatched)
            return dumps(self._answer(Execution(call, identity, path_id, environ, body, admission, watch)))
        finally:
            # A failed request costs a slot, too. RateLimited takes precedence over its error.
            admission.charge()

    def _answer(self, asked: Execution) -> ExecuteAnswer:
        services = self._services
        request = services.parser.execute(asked.path_id, asked.environ, asked.body)
        # The workflow checks the scope once it has found the session.
        return services.workflow.execute(asked.call, asked.identity, request, asked.admission, asked.watch)


class ExecuteByNameRoute(ExecuteRoute):
    """The WSGI application of executions by name. At the path `/` it takes the reference from elsewhere alone."""

    PATH = re.compile("/([^/]+)/execute/?")

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer an execution by name, or pass the request on."""
        if self._route.path == "/" and environ["PATH_INFO"] not in ROOTS:
            return self._others(environ, start_response)
        return super().__call__(environ, start_response)

    def _restore(self, environ: dict[str, Any]) -> None:
        if environ["REQUEST_METHOD"] == self._route.method and (ref := BY_NAME.find(environ)):
            environ["PATH_INFO"] = f"/{ref}/execute"

    def _answer(self, asked: Execution) -> ExecuteAnswer:
        services = self._services
        request, named = services.parser.execute_by_name(asked.path_id, asked.environ, asked.body)
        return services.workflow.execute_by_name(
            asked.call, asked.identity, request, named, asked.admission, asked.watch
        )


def _unwatched(_: Callable[[], object]) -> None:
    """Ignore the callback: this server cannot tell when a client hangs up."""
