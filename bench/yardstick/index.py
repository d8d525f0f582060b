"""A function in the way of OpenFaaS's python3-http template: Flask on waitress, with its default of four threads.

The handler gets an event and a context and answers a status, headers and a body, each of which it may leave out.
"""

import os
from typing import Any

from flask import Flask, Response, jsonify, request
from waitress import serve

from bench.yardstick.handler import handle
from local.supervisor.ports import LOOPBACK

app = Flask(__name__)


class Event:
    """What of the request a handler gets."""

    def __init__(self) -> None:
        self.body = request.get_data()
        self.headers = request.headers
        self.method = request.method
        self.query = request.args
        self.path = request.path


class Context:
    """What a handler is told of where it runs."""

    def __init__(self) -> None:
        self.hostname = os.environ.get("HOSTNAME", LOOPBACK)


@app.route("/", defaults={"path": ""}, methods=["GET", "PUT", "POST", "PATCH", "DELETE"])
@app.route("/<path:path>", methods=["GET", "PUT", "POST", "PATCH", "DELETE"])
def call_handler(path: str) -> Response:
    return response_of(handle(Event(), Context()))


def response_of(answer: dict[str, Any]) -> Response:
    """The handler's answer as Flask's. A dict or a list goes as JSON."""
    body = answer.get("body", "")
    response = jsonify(body) if isinstance(body, dict | list) else Response(body)
    response.status_code = answer.get("statusCode", 200)
    response.headers.update(answer.get("headers", {}))
    return response


if __name__ == "__main__":
    serve(app, host=LOOPBACK, port=int(os.environ["PORT"]))
