"""All functions in one server, under the public paths: `gunicorn local.service:app`.

What the gateway does in a cluster, a dispatcher does here: each path leads to the app of the same `handler.py` that
is deployed, which sees what is left of the path.
"""

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.middleware.dispatcher import DispatcherMiddleware

from function.execute.handler import app as execute
from function.functions.handler import app as functions
from function.health.handler import app as health
from function.initialize.handler import app as initialize
from function.sessions.handler import app as sessions


class Service:
    """The dispatcher, with the `close` that the server's worker calls at its end."""

    def __init__(self) -> None:
        self._dispatcher = DispatcherMiddleware(
            health,
            {
                "/api/v1/initialize": initialize,
                "/initialize": initialize,
                "/api/v1/execute": execute,
                "/execute": execute,
                "/api/v1/sessions": sessions,
                "/sessions": sessions,
                "/api/v1/functions": functions,
            },
        )

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self._dispatcher(environ, start_response)

    def close(self) -> None:
        """Writes what waits, once for all functions, since they share one controller."""
        health.close()


app = Service()
