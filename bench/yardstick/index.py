"""A function as OpenFaaS's python3-http template serves it: Flask on waitress, with its default of four threads.

The handler gets an event and a context. It answers a status, headers and a body, and may leave out each of them.
"""

import json
import os
from types import SimpleNamespace
from typing import Any

from flask import Flask, Response, jsonify, request
from waitress import serve

from local.supervisor.ports import LOOPBACK

METHODS = ["GET", "PUT", "POST", "PATCH", "DELETE"]
app = Flask(__name__)
#: The least that Flask can do: the same answer to any request.
constant = Flask("constant")


class Event:
    """The request."""

    def __init__(self) -> None:
        self.body, self.headers = request.get_data(), request.headers
        self.method, self.query, self.path = request.method, request.args, request.path


def handle(event: Event, context: SimpleNamespace) -> dict[str, Any]:
    """The function that is measured: one more than the `n` of the params."""
    return {"statusCode": 200, "body": {"result": json.loads(event.body)["params"]["n"] + 1}}


@app.route("/", defaults={"path": ""}, methods=METHODS)
@app.route("/<path:path>", methods=METHODS)
def call_handler(path: str) -> Response:
    answer = handle(Event(), SimpleNamespace(hostname=os.environ.get("HOSTNAME", LOOPBACK)))
    body = answer.get("body", "")
    response = jsonify(body) if isinstance(body, dict | list) else Response(body)
    response.status_code = answer.get("statusCode", 200)
    response.headers.update(answer.get("headers", {}))
    return response


@constant.post("/")
def answer() -> Response:
    return jsonify(result=2)


if __name__ == "__main__":
    serve(app, host=LOOPBACK, port=int(os.environ["PORT"]))
