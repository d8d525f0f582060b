"""The table of routes: every call of the public contract.

Flask's rules, the dispatcher of `function.service`, the ids outside the path and the OpenAPI document come from it.
"""

from dataclasses import replace

from controller.auth.authenticator import KEYS as KEYS_SCOPE
from controller.auth.authenticator import READ, require_execute, require_scope, require_write
from controller.models import responses
from controller.web import function_views, views
from controller.web.execute import ExecuteByNameRoute, ExecuteRoute
from controller.web.function_schemas import AliasSchema, ExecuteByNameSchema, PutFunctionSchema
from controller.web.id_fallback import Address
from controller.web.parameters import (
    ALIAS_NAME,
    CACHE_CONTROL,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    KEY_ID,
    NAME,
    PARTS_OF,
    REF,
    REF_HEADER,
    SESSION,
)
from controller.web.request_schemas import (
    ExecuteSchema,
    FunctionsSchema,
    InitializeSchema,
    KeySchema,
    VersionsSchema,
)
from controller.web.route import DeployedFunction, Failures, Permission, Route

SESSION_ADDRESS = Address("request_id", "X-Session-ID")
INITIALIZE = DeployedFunction("initialize", ("/api/v1/initialize", "/initialize"))
EXECUTE = DeployedFunction("execute", ("/api/v1/execute", "/execute"), SESSION_ADDRESS)
SESSIONS = DeployedFunction("sessions", ("/api/v1/sessions", "/sessions"), SESSION_ADDRESS)
FUNCTIONS = DeployedFunction(
    "functions", ("/api/v1/functions",), Address("language_title", "X-Function-Title")
)
KEYS = DeployedFunction("functions", ("/api/v1/keys",), folder="/keys")
#: Serves every path that no other function serves.
HEALTH = DeployedFunction("health", ("",))
#: Stands for every function: the metrics exporter adds its routes to each.
EVERY = DeployedFunction("every", ("",))
DEPLOYED = {function.name: function for function in (INITIALIZE, EXECUTE, SESSIONS, FUNCTIONS, HEALTH)}
#: Every folder of every function.
FOLDERS = (*DEPLOYED.values(), KEYS)

MAY_EXECUTE = Permission("`execute:all` or `execute:<language>`", require_execute)
OF_EXECUTIONS: Failures = {
    400: ("INVALID_REQUEST", "INVALID_PARAMS"),
    409: ("IDEMPOTENCY_CONFLICT",),
    500: ("RUNTIME_ERROR", "INTERNAL_ERROR"),
}
#: A caller who may register may also change and delete. The scope to read is not enough.
MAY_WRITE = Permission(
    "`execute:all` or `execute:<language>` (an API key: `write:functions`)", require_write, anonymous=False
)
MAY_READ = Permission(f"`{READ}`", lambda identity, _: require_scope(identity, READ))
MAY_READ_OWN = Permission(MAY_READ.scopes, MAY_READ.require, anonymous=False)
MAY_KEEP_KEYS = Permission(
    f"`{KEYS_SCOPE}`", lambda identity, _: require_scope(identity, KEYS_SCOPE), anonymous=False
)
BY_NAME = Route(
    function=FUNCTIONS,
    method="POST",
    path="/{function_ref}/execute",
    name="execute_by_name",
    description="Runs a version of a function, or answers with a cached result.",
    plain=ExecuteByNameRoute,
    permission=MAY_EXECUTE,
    window="execute",
    parameters=(REF, CACHE_CONTROL, IDEMPOTENCY_KEY),
    body=ExecuteByNameSchema,
    answer=responses.ExecuteAnswer,
    failures=OF_EXECUTIONS,
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
    Route(
        function=FUNCTIONS,
        method="GET",
        path="/",
        name="list_functions",
        description="The caller's functions and the predefined ones.",
        view=function_views.list_functions,
        permission=MAY_READ,
        window="functions",
        parameters=({"in": "query", "schema": FunctionsSchema},),
        answer=responses.FunctionPage,
    ),
    Route(
        function=FUNCTIONS,
        method="GET",
        path="/{function_ref}",
        name="describe_function",
        description="A function.",
        view=function_views.describe_function,
        permission=MAY_READ,
        window="functions",
        parameters=(REF,),
        answer=responses.FunctionDetail,
    ),
    Route(
        function=FUNCTIONS,
        method="DELETE",
        path="/{function_ref}",
        name="delete_function",
        description="Deletes a function of the caller, or a version of it. Its sessions continue.",
        view=function_views.delete_function,
        permission=MAY_WRITE,
        window="functions",
        parameters=(REF,),
        status=204,
        failures={409: ("CONFLICT",)},
    ),
    Route(
        function=FUNCTIONS,
        method="PUT",
        path="/{function_ref}",
        name="put_function",
        description="Makes a version of a function of the caller, unless it would equal the newest one.",
        view=function_views.put_function,
        permission=MAY_WRITE,
        window="initialize",
        parameters=(NAME, IF_MATCH),
        name_only=True,
        body=PutFunctionSchema,
        answer=responses.FunctionDetail,
        created=True,
        failures={
            400: ("INVALID_REQUEST", "INITIALIZATION_ERROR"),
            409: ("CONFLICT",),
            412: ("PRECONDITION_FAILED",),
        },
    ),
    Route(
        function=FUNCTIONS,
        method="GET",
        path="/{language_title}/versions",
        name="list_versions",
        description="The versions of a function, the newest first.",
        view=function_views.list_versions,
        permission=MAY_READ,
        window="manage",
        parameters=(PARTS_OF, {"in": "query", "schema": VersionsSchema}),
        answer=responses.FunctionVersions,
    ),
    Route(
        function=FUNCTIONS,
        method="GET",
        path="/{language_title}/aliases",
        name="list_aliases",
        description="The aliases of a function.",
        view=function_views.list_aliases,
        permission=MAY_READ_OWN,
        window="manage",
        parameters=(PARTS_OF,),
        answer=responses.Aliases,
    ),
    Route(
        function=FUNCTIONS,
        method="GET",
        path="/{language_title}/aliases/{alias}",
        name="describe_alias",
        description="An alias of a function.",
        view=function_views.describe_alias,
        permission=MAY_READ_OWN,
        window="manage",
        parameters=(PARTS_OF, ALIAS_NAME),
        answer=responses.AliasAnswer,
    ),
    Route(
        function=FUNCTIONS,
        method="PUT",
        path="/{language_title}/aliases/{alias}",
        name="put_alias",
        description="Makes an alias name a version, and a share of its calls go to another one.",
        view=function_views.put_alias,
        permission=MAY_WRITE,
        window="manage",
        parameters=(PARTS_OF, ALIAS_NAME),
        body=AliasSchema,
        answer=responses.AliasAnswer,
        created=True,
        failures={409: ("CONFLICT",)},
    ),
    Route(
        function=FUNCTIONS,
        method="DELETE",
        path="/{language_title}/aliases/{alias}",
        name="delete_alias",
        description="Deletes an alias of a function.",
        view=function_views.delete_alias,
        permission=MAY_WRITE,
        window="manage",
        parameters=(PARTS_OF, ALIAS_NAME),
        status=204,
    ),
    BY_NAME,
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
        function=HEALTH,
        method="GET",
        path="/health",
        aliases=("/",),
        name="health",
        description="Whether the service can serve.",
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
)


def routes_of(function: str) -> list[Route]:
    """Return the routes of the deployed function with this name."""
    return [route for route in ROUTES if route.function.name == function]


def plain_routes_of(function: str) -> list[Route]:
    """Return the routes that answer before Flask. `execute` has a door to those by name."""
    routes = [route for route in routes_of(function) if route.plain is not None]
    return [*routes, replace(BY_NAME, path="/")] if function == EXECUTE.name else routes
