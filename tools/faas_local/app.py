"""The provider's interface, as faas-cli calls it: https://github.com/openfaas/faas-provider says what is in it."""

import platform
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, request

from controller import VERSION
from local.supervisor.ports import LOOPBACK
from tools.faas_local.deployment import NAMESPACE, Deployment, Refused, require_namespace
from tools.faas_local.function import status
from tools.faas_local.functions import Functions
from tools.faas_local.logs import Query
from tools.faas_local.secret_store import SecretStore, value_of

RELEASE = {"release": VERSION, "sha": ""}
INFO = {
    "provider": {
        "provider": "lambda-microservice local",
        "orchestration": "processes of this machine",
        "version": RELEASE,
    },
    "version": RELEASE,
    "arch": platform.machine(),
}


def application(functions: Functions, store: SecretStore, watchdog: str) -> Flask:
    """The Flask application; `watchdog` is what describe shows of it."""
    app = Flask(__name__, static_folder=None)
    app.register_error_handler(Refused, lambda refused: (f"{refused}\n", refused.status))

    @app.before_request
    def check() -> None:
        # A page in the user's browser could have its own name lead to this machine, and call us by it.
        if urlsplit(f"//{request.host}").hostname not in {LOOPBACK, "localhost"}:
            raise Refused(403, f"call this at {LOOPBACK}, not at {request.host}")
        require_namespace(request.args.get("namespace"))

    _add_system(app)
    _add_functions(app, functions, watchdog)
    _add_secrets(app, store)
    return app


def _add_system(app: Flask) -> None:
    @app.get("/healthz")
    def health() -> str:
        return "OK"

    @app.get("/system/info")
    def info() -> Response:
        return jsonify(INFO)

    @app.get("/system/namespaces")
    def namespaces() -> Response:
        return jsonify([NAMESPACE])

    @app.route("/async-function/<path:name>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def call_later(name: str) -> str:
        raise Refused(501, f"there is no queue here: call /function/{name}")


def _add_functions(app: Flask, functions: Functions, watchdog: str) -> None:
    @app.get("/system/functions")
    def listed() -> Response:
        return jsonify([status(function, watchdog) for function in functions.all()])

    @app.get("/system/function/<name>")
    def described(name: str) -> Response:
        return jsonify(status(functions.get(name), watchdog, measured="usage" in request.args))

    @app.post("/system/functions")
    def deploy() -> tuple[str, int]:
        functions.deploy(_deployment())
        return "", 202

    @app.put("/system/functions")
    def update() -> tuple[str, int]:
        deployment = _deployment()
        functions.get(deployment.service)
        functions.deploy(deployment)
        return "", 200

    @app.delete("/system/functions")
    def remove() -> tuple[str, int]:
        functions.remove(_text("functionName"))
        return "", 202

    @app.post("/system/scale-function/<name>")
    def scale(name: str) -> tuple[str, int]:
        replicas = _document().get("replicas")
        if not isinstance(replicas, int):
            raise Refused(400, "replicas has to be a number")
        functions.scale(name, replicas)
        return "", 202

    @app.get("/system/logs")
    def logs() -> Response:
        log = functions.get(request.args.get("name", "")).log
        return Response(log.read(_query()), content_type="application/x-ndjson")


def _add_secrets(app: Flask, store: SecretStore) -> None:
    @app.get("/system/secrets")
    def secret_names() -> Response:
        return jsonify([{"name": name, "namespace": NAMESPACE} for name in store.names()])

    @app.post("/system/secrets")
    def create_secret() -> tuple[str, int]:
        store.create(_text("name"), value_of(_document()))
        return "", 201

    @app.put("/system/secrets")
    def update_secret() -> tuple[str, int]:
        store.update(_text("name"), value_of(_document()))
        return "", 200

    @app.delete("/system/secrets")
    def remove_secret() -> tuple[str, int]:
        store.remove(_text("name"))
        return "", 200


def _document() -> dict[str, Any]:
    """The request's body; the namespace in it has to be ours.

    It has to say that it is JSON: a page in the user's browser may not do so without being allowed to first.
    """
    document = request.get_json(silent=True)
    if not isinstance(document, dict):
        raise Refused(400, "the body is no JSON object, or has no Content-Type: application/json")
    require_namespace(document.get("namespace"))
    return document


def _deployment() -> Deployment:
    return Deployment.from_json(_document())


def _text(name: str) -> str:
    value = _document().get(name)
    if not isinstance(value, str):
        raise Refused(400, f"{name} is missing")
    return value


def _query() -> Query:
    """Raises Refused when it cannot be understood."""
    given = request.args
    try:
        since = datetime.fromisoformat(given["since"]) if given.get("since") else None
        tail = int(given.get("tail") or 0)
    except ValueError as error:
        raise Refused(422, f"the query of the logs: {error}") from error
    return Query(since, tail, given.get("instance", ""), given.get("follow", "") in {"true", "1"})
