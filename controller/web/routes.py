"""The table of routes: every call of the public contract.

Flask's rules, the dispatcher of `function.service`, the ids outside the path and the OpenAPI document come from it.
"""

from dataclasses import replace

from controller.auth.authenticator import KEYS as KEYS_SCOPE
from controller.auth.authenticator import require_scope
from controller.models import responses
from controller.web import views
from controller.web.deployed import ENVIRONMENTS, EVERY, EXECUTE, HEALTH, INITIALIZE, KEYS, SESSIONS
from controller.web.execute import ExecuteRoute
from controller.web.function_routes import BY_NAME, FUNCTION_ROUTES, MAY_EXECUTE, MAY_READ_OWN, OF_EXECUTIONS
from controller.web.history_routes import HISTORY_ROUTES
from controller.web.parameters import (
    CACHE_CONTROL,
    ENVIRONMENT,
    FILE,
    IDEMPOTENCY_KEY,
    KEY_ID,
    REF_HEADER,
    SESSION,
)
from controller.web.request_schemas import ExecuteSchema, InitializeSchema, KeySchema
from controller.web.route import Permission, Route

ANY_TYPE = "*/*"
MAY_KEEP_KEYS = Permission(
    f"`{KEYS_SCOPE}`", lambda identity, _: require_scope(identity, KEYS_SCOPE), anonymous=False
)

ROUTES = (
    Route(
        function=INITIALIZE,
        method="POST",
        path="/",
        name="initialize",
        description="Begins a session, and registers the script if the request has one.",
        view=views.initialize,
        permission=MAY_EXECUTE,
        window="initialize",
        parameters=(REF_HEADER,),
        body=InitializeSchema,
        answer=responses.InitializeAnswer,
        failures={400: ("INVALID_REQUEST", "INITIALIZATION_ERROR")},
    ),
    Route(
        function=EXECUTE,
        method="POST",
        path="/{request_id}",
        name="execute",
        description="Runs the session's script, or answers with a cached result.",
        plain=ExecuteRoute,
        permission=MAY_EXECUTE,
        window="execute",
        parameters=(SESSION, CACHE_CONTROL, IDEMPOTENCY_KEY),
        body=ExecuteSchema,
        answer=responses.ExecuteAnswer,
        failures=OF_EXECUTIONS,
    ),
    Route(
        function=SESSIONS,
        method="GET",
        path="/{request_id}",
        name="describe_session",
        description="A session's state.",
        view=views.describe_session,
        permission=MAY_EXECUTE,
        parameters=(SESSION,),
        answer=responses.SessionAnswer,
    ),
    Route(
        function=SESSIONS,
        method="DELETE",
        path="/{request_id}",
        name="end_session",
        description="Ends a session. Its running executions finish.",
        view=views.end_session,
        permission=MAY_EXECUTE,
        parameters=(SESSION,),
        status=204,
    ),
    *FUNCTION_ROUTES,
    Route(
        function=KEYS,
        method="POST",
        path="/",
        name="create_key",
        description="Makes an API key, which is shown once.",
        view=views.create_key,
        permission=MAY_KEEP_KEYS,
        window="manage",
        body=KeySchema,
        answer=responses.KeyAnswer,
        status=201,
        failures={503: ("STORE_UNAVAILABLE",)},
    ),
    Route(
        function=KEYS,
        method="GET",
        path="/",
        name="list_keys",
        description="The caller's API keys, without their texts.",
        view=views.list_keys,
        permission=MAY_KEEP_KEYS,
        window="manage",
        answer=responses.KeyList,
    ),
    Route(
        function=KEYS,
        method="DELETE",
        path="/{key_id}",
        name="delete_key",
        description="Deletes an API key of the caller. Every process refuses it within 30 seconds.",
        view=views.delete_key,
        permission=MAY_KEEP_KEYS,
        window="manage",
        parameters=(KEY_ID,),
        status=204,
    ),
    Route(
        function=ENVIRONMENTS,
        method="GET",
        path="/{digest}",
        name="describe_environment",
        description="The packages that a session or a version of the caller's has.",
        view=views.describe_environment,
        permission=MAY_READ_OWN,
        window="manage",
        parameters=(ENVIRONMENT,),
        answer=responses.EnvironmentAnswer,
    ),
    *HISTORY_ROUTES,
    Route(
        function=HEALTH,
        method="GET",
        path="/health",
        aliases=("/",),
        name="health",
        description="Whether the service can serve. At `/`, a browser is led to the console.",
        view=views.health,
        answer=responses.HealthAnswer,
    ),
    Route(
        function=EVERY,
        method="GET",
        path="/metrics",
        name="metrics",
        description="Metrics for Prometheus.",
        answer="text/plain",
    ),
    Route(
        function=HEALTH,
        method="GET",
        path="/openapi.json",
        name="openapi",
        description="This document.",
        view=views.openapi,
        answer="application/json",
    ),
    Route(
        function=HEALTH,
        method="GET",
        path="/docs",
        name="docs",
        description="This document, to read and try.",
        view=views.docs,
        answer="text/html",
    ),
    Route(
        function=HEALTH,
        method="GET",
        path="/docs/{file}",
        name="docs_file",
        description="A file of that page.",
        view=views.docs_file,
        parameters=(FILE,),
        answer=ANY_TYPE,
    ),
    Route(
        function=HEALTH,
        method="GET",
        path="/console",
        name="console",
        description="The console, for the browser.",
        view=views.console,
        answer="text/html",
    ),
    Route(
        function=HEALTH,
        method="GET",
        path="/console/{file}",
        name="console_file",
        description="A file of that page. Its name has a hash of its content, so it may be kept forever.",
        view=views.console_file,
        parameters=(FILE,),
        answer=ANY_TYPE,
    ),
)


def routes_of(function: str) -> list[Route]:
    """Return the routes of the deployed function with this name."""
    return [route for route in ROUTES if route.function.name == function]


def plain_routes_of(function: str) -> list[Route]:
    """Return the routes that answer before Flask. `execute` also serves executions by name, at `/`."""
    routes = [route for route in routes_of(function) if route.plain is not None]
    return [*routes, replace(BY_NAME, path="/")] if function == EXECUTE.name else routes
