"""The Flask handlers of the table of routes.

Each calls `Admitted.permit` after it has found what the caller owns.
"""

from flask import Response, jsonify, request

from controller.web import ids
from controller.web.route import Admitted, Reply
from controller.web.services import Services

#: What `/` may answer. Without a preference it is the first one.
AT_ROOT = ("application/json", "text/html")


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


def describe_environment(services: Services, admitted: Admitted) -> Reply:
    """Describe an environment that a session or a version of the caller's names."""
    digest = ids.digest(admitted.ids["digest"])
    answer, language = services.environments.describe(digest, admitted.identity.subject)
    admitted.permit(language)
    return jsonify(answer)


def create_key(services: Services, admitted: Admitted) -> Reply:
    """Make an API key."""
    asked = services.parser.key(admitted.body)
    services.keys.check(asked, admitted.identity.subject)
    admitted.permit()
    return jsonify(services.keys.create(admitted.identity, asked)), 201


def list_keys(services: Services, admitted: Admitted) -> Reply:
    """List the caller's API keys."""
    admitted.permit()
    return jsonify(services.keys.list(admitted.identity.subject))


def delete_key(services: Services, admitted: Admitted) -> Reply:
    """Delete an API key of the caller."""
    key_id = ids.key_id(admitted.ids["key_id"])
    services.keys.require_own(key_id, admitted.identity.subject)
    admitted.permit()
    services.keys.delete(key_id, admitted.identity.subject)
    return "", 204


def health(services: Services, _: Admitted) -> Reply:
    """Report whether the service can serve. At `/`, lead a browser to the console."""
    if request.path == "/" and request.accept_mimetypes.best_match(AT_ROOT) == "text/html":
        return Response(status=303, headers={"Location": "console", "Vary": "Accept"})
    document = services.health.document()
    return jsonify(document), 503 if document.status == "error" else 200


def openapi(services: Services, _: Admitted) -> Reply:
    """Return the OpenAPI document."""
    return jsonify(services.contract)


def docs(services: Services, _: Admitted) -> Reply:
    """Return the page that shows the OpenAPI document."""
    return services.reference.show()


def docs_file(services: Services, admitted: Admitted) -> Reply:
    """Return a file of that page."""
    return services.reference.file(admitted.ids["file"])


def console(services: Services, _: Admitted) -> Reply:
    """Return the console."""
    return services.console.show()


def console_file(services: Services, admitted: Admitted) -> Reply:
    """Return a file of the console."""
    return services.console.file(admitted.ids["file"])
