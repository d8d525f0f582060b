"""The handlers of the table of routes that Flask serves: have the call done, and write its answer.

Each asks `Admitted.permit` once it has found what the caller owns.
"""

from flask import Response, jsonify, render_template, request

from controller.web.route import Admitted, Reply
from controller.web.services import Services

#: The page has its style and its script within, and asks nobody else.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"


def initialize(services: Services, admitted: Admitted) -> Reply:
    """Begin a session."""
    asked = services.parser.initialize(request.environ, admitted.body)
    # The workflow checks the scope: it knows which runtimes and functions there are.
    return jsonify(services.workflow.initialize(admitted.call, admitted.identity, asked))


def describe_session(services: Services, admitted: Admitted) -> Reply:
    """Tell a session's state."""
    request_id = services.parser.session_id(admitted.ids["request_id"])
    status = services.sessions.describe(request_id, admitted.identity.subject)
    admitted.permit(status.session.name.language)
    return jsonify(status.document())


def end_session(services: Services, admitted: Admitted) -> Reply:
    """End a session before its time."""
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
    """Tell all there is to know of a function."""
    name = services.parser.language_title(admitted.ids["language_title"])
    detail = services.functions.detail(name, admitted.identity.subject)
    admitted.permit(name.language)
    return jsonify(detail)


def delete_function(services: Services, admitted: Admitted) -> Reply:
    """End one's own function."""
    name = services.parser.language_title(admitted.ids["language_title"])
    services.functions.require_own(name, admitted.identity.subject)
    admitted.permit(name.language)
    services.functions.delete(name, admitted.identity.subject)
    return "", 204


def health(services: Services, _: Admitted) -> Reply:
    """Tell whether the service can serve."""
    document = services.health.document()
    return jsonify(document), 503 if document.status == "error" else 200


def openapi(services: Services, _: Admitted) -> Reply:
    """Give the contract to machines."""
    return jsonify(services.contract)


def docs(services: Services, _: Admitted) -> Reply:
    """Show the contract to people."""
    answer = Response(render_template("docs.html", **services.contract), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = PAGE_POLICY
    return answer
