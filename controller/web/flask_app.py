"""The Flask app of every endpoint: JSON as the contract defines it, and one shape of errors."""

import logging
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from flask import Flask, Response, g, jsonify, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter

from controller.call import Call, CallFactory
from controller.errors import InvalidRequest, NotFound, ServiceError
from controller.json_codec import plain
from controller.web.route import Reply, Route, View
from controller.web.services import Services

log = logging.getLogger(__name__)


class Json(DefaultJSONProvider):
    """Writes JSON as the contract defines it, with the fields in its order."""

    sort_keys = False
    compact = True
    default = staticmethod(plain)


class Function(Flask):
    """The app of one endpoint. It implements `HttpApp` of template/python3-gevent/http_app.py.

    Args:
        name: the app's name.
        close: called when the server's worker ends.
        body_max_bytes: the server drops a longer body, and the app refuses the request.
    """

    def __init__(self, name: str, close: Callable[[], None], body_max_bytes: int) -> None:
        super().__init__(f"lambda-{name}", root_path=str(Path(__file__).parent), static_folder=None)
        self.json = Json(self)
        self.url_map.strict_slashes = self.url_map.merge_slashes = False
        self.close = close
        self.body_max_bytes = body_max_bytes

    def drain(self) -> None:
        """Do nothing: the server takes no more requests and finishes those that it has."""


def add_routes(app: Flask, services: Services, routes: Iterable[Route]) -> None:
    """Serve routes.

    A route without a view is answered before Flask. Flask has a rule for it, too, and refuses what reaches it.
    """
    routes = list(routes)
    if folders := {route.function.folder for route in routes} - {""}:
        app.url_map.converters["default"] = _ids_beside(folders)
    app.url_map.converters["name"] = _ids_beside(folders, other="/@")
    for route in routes:
        view = _refused(route) if route.view is None else _checked(route, route.view, services)
        for path in route.own_paths:
            rule = path.replace("{", "<").replace("}", ">")
            if route.name_only:
                rule = rule.replace("<function_ref>", "<name:function_ref>")
            app.add_url_rule(rule, route.name, view, methods=[route.method])


def _ids_beside(folders: Iterable[str], other: str = "/") -> type[BaseConverter]:
    """Return a converter of ids in paths that takes no folder's name for an id.

    Args:
        folders: the folders that routes have beside the ids.
        other: the characters that no id has.
    """
    names = "|".join(re.escape(folder.removeprefix("/")) for folder in sorted(folders))

    class Id(BaseConverter):
        regex = rf"(?!(?:{names})\Z)[^{other}]+" if names else f"[^{other}]+"
        part_isolating = True

    return Id


def _checked(route: Route, view: View, services: Services) -> Callable[..., Reply]:
    def answer(**ids: str) -> Reply:
        admitted = route.admit(services, g.call, request.environ, ids)
        admitted.admission.charge()
        return view(services, admitted)

    return answer


def _refused(route: Route) -> Callable[..., Reply]:
    """Return the view of a plain route. Flask takes `post` for POST; the contract's methods are upper-case."""

    def refuse(**_: str) -> Reply:
        raise MethodNotAllowed([route.method])

    return refuse


def observe(app: Flask, calls: CallFactory) -> None:
    """Record every request as a call."""

    @app.before_request
    def begin() -> None:
        g.call = calls.begin(request.environ)

    @app.after_request
    def answered(response: Response) -> Response:
        response.headers.update(g.call.answered(response.status_code))
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        call: Call | None = g.pop("call", None)
        if call is not None:
            call.end()


def answer_errors(app: Flask) -> None:
    """Turn every exception into an error response. This is the boundary for Flask apps."""

    @app.errorhandler(Exception)
    def answer(error: Exception) -> Response:
        failure = known_failure(error)
        g.call.failed(failure)
        response = jsonify(failure.document())
        response.status_code = failure.status
        response.headers.update(failure.headers())
        if isinstance(error, MethodNotAllowed):
            response.headers.extend(
                name_value for name_value in error.get_headers() if name_value[0] == "Allow"
            )
        return response


def known_failure(error: Exception) -> ServiceError:
    """Return the error that the client gets for an exception."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
        if error.code == 404:
            return NotFound("there is no such path")
        return InvalidRequest(error.name.lower(), status=error.code)
    log.error("an internal error", exc_info=error)
    return ServiceError("an internal error")
