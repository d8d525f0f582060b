"""The Flask handlers of the table of routes.

Each calls `Admitted.permit` after it has found what the caller owns.
"""

from flask import Response, jsonify, render_template, request

from controller.web.route import Admitted, Reply
from controller.web.services import Services

#: Content-Security-Policy of the page. It contains its style and script and calls only this server.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"


def initialize(services: Services, admitted: Admitted) -> Reply:
    """Begin a session."""
    asked = services.parser.initialize(request.environ, admitted.body)
    # The workflow checks the scope: it knows the runtimes and functions.
    return jsonify(services.workflow.initialize(admitted.call, admitted.identity, asked))


def describe_session(services: Services, admitted: Admitted) -> Reply:
    """Describe a session."""
    request_id = services.parser.session_id(admitted.ids["request_id"])
    status = services.sessions.describe(request_id, admitted.identity.subject)
    admitted.permit(status.session.name.language)
    return jsonify(status.document())


def end_session(services: Services, admitted: Admitted) -> Reply:
    """End a session before it expires."""
    request_id = services.parser.session_id(admitted.ids["request_id"])
    session = services.sessions.live(request_id, admitted.identity.subject)
    admitted.permit(session.name.language)
    services.sessions.end(session, "deleted")
    return "", 204


def list_functions(services: Services, admitted: Admitted) -> Reply:
    """List a page of the functions that the caller sees."""
    query = services.parser.functions(request.args)
    admitted.permit()
    return jsonify(services.functions.page(admitted.identity.subject, query))


def describe_function(services: Services, admitted: Admitted) -> Reply:
    """Describe a function."""
    ref = services.parser.function_ref(admitted.ids["function_ref"])
    detail = services.functions.detail(ref, admitted.identity.subject)
    admitted.permit(ref.name.language)
    answer = jsonify(detail)
    answer.set_etag(str(detail.version))
    return answer


def delete_function(services: Services, admitted: Admitted) -> Reply:
    """Delete a function of the caller."""
    name = services.parser.language_title(admitted.ids["function_ref"])
    services.functions.require_own(name, admitted.identity.subject)
    admitted.permit(name.language)
    services.functions.delete(name, admitted.identity.subject)
    return "", 204


def health(services: Services, _: Admitted) -> Reply:
    """Report whether the service can serve."""
    document = services.health.document()
    return jsonify(document), 503 if document.status == "error" else 200


def openapi(services: Services, _: Admitted) -> Reply:
    """Return the OpenAPI document."""
    return jsonify(services.contract)


def docs(services: Services, _: Admitted) -> Reply:
    """Return the page that shows the OpenAPI document."""
    answer = Response(render_template("docs.html", **services.contract), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = PAGE_POLICY
    return answer
