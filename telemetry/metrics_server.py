"""The metrics alone, on a port of their own."""

import os

from gevent import socket
from gevent.pywsgi import WSGIServer
from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector


class MetricsServer:
    """Serves Prometheus.

    Every worker process listens on the one port, and each answers for all of them: prometheus_client adds up what
    they left in the folder PROMETHEUS_MULTIPROC_DIR.

    Args:
        port: TCP port on every interface; 0: no server.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: WSGIServer | None = None

    def start(self) -> None:
        """Starts to listen; raises OSError when the port is taken by somebody else."""
        if self._port:
            listener = socket.create_server(("", self._port), reuse_port=True)
            self._server = WSGIServer(listener, make_wsgi_app(_whole_registry()), log=None)
            self._server.start()

    def close(self) -> None:
        """Stops listening."""
        if self._server is not None:
            self._server.stop()


def _whole_registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
