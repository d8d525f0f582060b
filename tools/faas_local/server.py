"""The provider's HTTP server: gevent's, which hands bodies on while they arrive."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from gevent import socket
from gevent.pywsgi import WSGIHandler, WSGIServer

from local.supervisor.ports import LOOPBACK

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: Connections that wait to be accepted.
BACKLOG = 1024


class _Handler(WSGIHandler):
    """Tells the application of the request as it came, too."""

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        return environ | {
            "server.target": self.path,
            "server.headers": self.headers.items(),
            "server.client": self.socket,
        }


def server(port: int, application: "WSGIApplication") -> WSGIServer:
    """Serves the application on loopback only: whoever can call it can run programs as us."""
    listener = socket.create_server((LOOPBACK, port), backlog=BACKLOG)
    # Inherited by each connection: parts of an answer are not held back until the client has acknowledged others.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return WSGIServer(listener, application, handler_class=_Handler, log=None)


class Dispatcher:
    """Calls of functions go to the proxy, everything else to the interface of faas-cli."""

    def __init__(self, prefix: str, proxy: "WSGIApplication", interface: "WSGIApplication") -> None:
        self._prefix = prefix
        self._proxy = proxy
        self._interface = interface

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        to_function = environ["PATH_INFO"].startswith(self._prefix)
        return (self._proxy if to_function else self._interface)(environ, start_response)
