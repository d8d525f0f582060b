"""All functions in one server, under the public paths, for `make run`: `gunicorn function.service:app`.

What the gateway does in a cluster, a dispatcher does here: each prefix of `controller.web.deployed` leads to the app
of the same `handler.py` that is deployed, which sees what is left of the path.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.middleware.dispatcher import DispatcherMiddleware

from controller.web.deployed import FOLDERS
from function.execute.handler import app as execute
from function.functions.handler import app as functions
from function.health.handler import app as health
from function.initialize.handler import app as initialize
from function.sessions.handler import app as sessions

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

APPS = {
    "initialize": initialize,
    "execute": execute,
    "sessions": sessions,
    "functions": functions,
    "health": health,
}


class Service:
    """The dispatcher, as an application of our HTTP worker: see `HttpApp` of template/python3-gevent/http_app.py."""

    #: The same for all functions, since they share one controller.
    body_max_bytes = health.body_max_bytes

    def __init__(self) -> None:
        mounts = {
            prefix: _within(folder.folder, APPS[folder.name])
            for folder in FOLDERS
            for prefix in folder.prefixes
            if prefix
        }
        self._dispatcher = DispatcherMiddleware(health, mounts)

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        return self._dispatcher(environ, start_response)

    def drain(self) -> None:
        """Tell one function, since all share one controller."""
        health.drain()

    def close(self) -> None:
        """Write queued log rows. Once for all functions, since they share one controller."""
        health.close()


def _within(folder: str, app: "WSGIApplication") -> "WSGIApplication":
    """Leave the folder at the end of the prefix in the path. Replace an empty path by `/`, as the gateway does."""

    def serve(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        environ["SCRIPT_NAME"] = environ["SCRIPT_NAME"].removesuffix(folder)
        environ["PATH_INFO"] = folder + environ["PATH_INFO"] or "/"
        return app(environ, start_response)

    return serve


app = Service()
