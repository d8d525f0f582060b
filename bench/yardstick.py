"""The servers that the service is compared with: what they answer, and the parts that start them."""

import http.client
import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask, Response, jsonify, request
from waitress import serve

from local.state import ROOT
from local.supervisor.account import Account
from local.supervisor.managed_process import INTERPRETER, Part
from local.supervisor.ports import LOOPBACK, free_port

FUNCTION = ["-m", "bench.yardstick"]
#: The usual way to start gunicorn with gevent.
CONSTANT = ["-m", "gunicorn", "--worker-class=gevent", "--no-control-socket", "bench.yardstick:constant"]
#: Seconds for one health check.
ANSWER_TIMEOUT = 3


class Yardstick(Part):
    """A Python server of this checkout on a free port; the arguments are the interpreter's.

    It is ready when it answers anything.
    """

    def __init__(self, name: str, arguments: Sequence[str], folder: Path) -> None:
        super().__init__(name, folder / f"{name}.log", Account.own())
        self.port = free_port()
        bind = [f"--bind={LOOPBACK}:{self.port}"] if "gunicorn" in arguments else []
        self._command = [str(INTERPRETER), *arguments, *bind]

    def command(self) -> list[str]:
        return self._command

    def working_folder(self) -> Path:
        return ROOT

    def environment(self) -> dict[str, str]:
        return super().environment() | {"PORT": str(self.port)}

    def answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_TIMEOUT)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True


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
