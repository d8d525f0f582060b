"""The endpoints: thin views that read a call, have it done and write its answer. One blueprint a function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from flask import Blueprint, Response, g, jsonify, render_template, request

from controller.auth.authenticator import Authenticator, require_execute, require_scope
from controller.call import Call
from controller.execution.workflow import WorkflowManager
from controller.health import HealthCheck
from controller.limits.rate_limit import Admission, RateLimiter
from controller.models.registered import Identity
from controller.registry.functions import FunctionCatalog
from controller.registry.sessions import SessionManager
from controller.web.openapi import document
from controller.web.parsing import RequestParser

PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
"""The page has its style and its script within, and asks nobody else."""
Reply = Response | tuple[Response, int] | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Services:
    """What views work with; made in `controller.app`."""

    parser: RequestParser
    authenticator: Authenticator
    limiter: RateLimiter
    workflow: WorkflowManager
    sessions: SessionManager
    functions: FunctionCatalog
    health: HealthCheck

    def caller(self) -> Identity:
        """Who makes the present request; raises Unauthorized."""
        identity = self.authenticator.identify(request.headers.get("Authorization"))
        call: Call = g.call
        call.called_by(identity)
        return identity

    def admission(self, endpoint: Literal["initialize", "functions"], identity: Identity) -> Admission:
        """The present request's place in its window; what is left of it is told with the answer."""
        admission = self.limiter.admission(endpoint, identity, request.remote_addr or "")
        g.call.admission = admission
        return admission


def initialize(services: Services) -> Blueprint:
    """`POST /`: begins a session."""
    blueprint = Blueprint("initialize", __name__)

    @blueprint.post("/")
    def begin() -> Reply:
        body = services.parser.body(request.environ)
        identity = services.caller()
        services.admission("initialize", identity).charge()
        asked = services.parser.initialize(request.environ, body)
        return jsonify(services.workflow.initialize(g.call, identity, asked))

    return blueprint


def execute(_: Services) -> Blueprint:
    """`POST /{request_id}` as Flask knows it, to refuse other methods: `controller.web.execute` answers it."""
    blueprint = Blueprint("execute", __name__)
    blueprint.add_url_rule("/<request_id>", endpoint="run", methods=["POST"])
    return blueprint


def sessions(services: Services) -> Blueprint:
    """`GET /{request_id}`, `DELETE /{request_id}`: a session's state, and its end."""
    blueprint = Blueprint("sessions", __name__)

    @blueprint.get("/<request_id>")
    def describe(request_id: str) -> Reply:
        identity = services.caller()
        status = services.sessions.describe(services.parser.session_id(request_id), identity.subject)
        require_execute(identity, status.session.name.language)
        return jsonify(status.document())

    @blueprint.delete("/<request_id>")
    def delete(request_id: str) -> Reply:
        identity = services.caller()
        session = services.sessions.live(services.parser.session_id(request_id), identity.subject)
        require_execute(identity, session.name.language)
        services.sessions.end(session, "deleted")
        return "", 204

    return blueprint


def functions(services: Services) -> Blueprint:
    """`GET /`, `GET /{language_title}`: the functions a user sees; `DELETE` of one's own."""
    blueprint = Blueprint("functions", __name__)

    @blueprint.get("/")
    def page() -> Reply:
        identity = services.caller()
        services.admission("functions", identity).charge()
        query = services.parser.functions(request.args)
        require_scope(identity, "read:functions")
        return jsonify(services.functions.page(identity.subject, query))

    @blueprint.get("/<language_title>")
    def describe(language_title: str) -> Reply:
        identity = services.caller()
        services.admission("functions", identity).charge()
        name = services.parser.language_title(language_title)
        detail = services.functions.detail(name, identity.subject)
        require_scope(identity, "read:functions")
        return jsonify(detail)

    @blueprint.delete("/<language_title>")
    def delete(language_title: str) -> Reply:
        identity = services.caller()
        services.admission("functions", identity).charge()
        name = services.parser.language_title(language_title)
        services.functions.require_own(name, identity.subject)
        # Who may register may delete; to read is not enough.
        require_execute(identity, name.language)
        services.functions.delete(name, identity.subject)
        return "", 204

    return blueprint


def health(services: Services) -> Blueprint:
    """`GET /health`: whether the service can serve; `GET /openapi.json`, `GET /docs`: its contract. Need no token."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/")
    @blueprint.get("/health")
    def check() -> Reply:
        document = services.health.document()
        return jsonify(document), 503 if document.status == "error" else 200

    @blueprint.get("/openapi.json")
    def contract() -> Reply:
        return jsonify(document.document())

    @blueprint.get("/docs")
    def page() -> Reply:
        answer = Response(render_template("docs.html", **document.document()), mimetype="text/html")
        answer.headers["Content-Security-Policy"] = PAGE_POLICY
        return answer

    return blueprint


BLUEPRINTS: Mapping[str, Callable[[Services], Blueprint]] = {
    "initialize": initialize,
    "execute": execute,
    "sessions": sessions,
    "functions": functions,
    "health": health,
}
"""The functions of the service, by name."""
