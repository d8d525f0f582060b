"""What the HTTP applications of a runtime and of the function `packages` share: errors, logs, metrics, their end."""

from typing import cast

from flask import Flask, Response, g, request

from configuration.errors import UnusableSetting
from runtime.front.call import Call, headers_of
from telemetry.metrics_server import MetricsServer
from telemetry.tracing import NO_SPAN, Span


class Service(Flask):
    """A WSGI application: an `HttpApp` of template/python3-gevent/http_app.py.

    Args:
        name: Flask's name for it.
        body_max_bytes: Largest body. The server passes on larger requests without theirs; they are refused here.
        metrics_server: Serves the metrics.
    """

    def __init__(self, name: str, body_max_bytes: int, metrics_server: MetricsServer) -> None:
        super().__init__(name, static_folder=None)
        self.body_max_bytes = body_max_bytes
        self.config["MAX_CONTENT_LENGTH"] = body_max_bytes
        self._metrics_server = metrics_server
        self.before_request(self._begin)
        self.after_request(self._finish)
        self.teardown_request(self._end)
        self.register_error_handler(Exception, self._answer_error)

    def serve_metrics(self) -> None:
        """Start the metrics server.

        Raises:
            UnusableSetting: METRICS_PORT is in use.
        """
        try:
            self._metrics_server.start()
        except OSError as error:
            raise UnusableSetting(f"METRICS_PORT: {error.strerror}") from error

    @property
    def call(self) -> Call:
        """The call that is being served."""
        return cast("Call", g.call)

    def span(self) -> Span:
        """Return the span of the request."""
        return NO_SPAN

    def measure(self) -> None:
        """Count the answered call."""

    def _begin(self) -> None:
        g.call = Call(request.environ, self.span())

    def _finish(self, response: Response) -> Response:
        if self.call.id:
            response.headers["X-Request-ID"] = self.call.id
        self.call.log(response.status_code)
        self.measure()
        return response

    def _end(self, error: BaseException | None) -> None:
        if "call" in g:
            self.call.end(error)

    def _answer_error(self, error: Exception) -> Response:
        known, document = self.call.failure(error)
        response: Response = self.json.response(document)  # type: ignore[assignment]
        response.status_code = known.status
        response.headers.extend(headers_of(known))
        return response
