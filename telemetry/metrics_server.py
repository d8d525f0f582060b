"""The metrics server: serves metrics for Prometheus on a separate port."""

import os

from gevent import socket
from gevent.pywsgi import WSGIServer
from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector


class MetricsServer:
    """Serves the metrics of a registry.

    Args:
        port: TCP port on every interface. 0: no server.
        registry: The metrics of this process. None: those of all worker processes together. Then every worker listens
            on the same port and answers for all: prometheus_client adds up the files that they write to the folder
            PROMETHEUS_MULTIPROC_DIR.
    """

    def __init__(self, port: int, registry: CollectorRegistry | None = None) -> None:
        self._port = port
        self._registry = registry
        self._server: WSGIServer | None = None

    def start(self) -> None:
        """Start to listen.

        Raises:
            OSError: The port is in use.
        """
        if not self._port:
            return
        listener = socket.create_server(("", self._port), reuse_port=self._registry is None)
        registry = self._registry or _of_all_processes()
        self._server = WSGIServer(listener, make_wsgi_app(registry), log=None)
        self._server.start()

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.stop()


def _of_all_processes() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
