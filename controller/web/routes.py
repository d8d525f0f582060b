"""The table of routes: every call of the public contract.

Flask's rules, the dispatcher of `function.service`, the ids outside the path and the OpenAPI document come from it.
"""

from controller.auth.authenticator import require_execute, require_scope
from controller.models import responses
from controller.web import views
from controller.web.execute import ExecuteRoute
from controller.web.id_fallback import Address
from controller.web.parameters import CACHE_CONTROL, IDEMPOTENCY_KEY, REF, REF_HEADER, SESSION
from controller.web.request_schemas import ExecuteSchema, FunctionsSchema, InitializeSchema
from controller.web.route import DeployedFunction, Permission, Route

SESSION_ADDRESS = Address("request_id", "X-Session-ID")
INITIALIZE = DeployedFunction("initialize", ("/api/v1/initialize", "/initialize"))
EXECUTE = DeployedFunction("execute", ("/api/v1/execute", "/execute"), SESSION_ADDRESS)
SESSIONS = DeployedFunction("sessions", ("/api/v1/sessions", "/sessions"), SESSION_ADDRESS)
FUNCTIONS = DeployedFunction(
    "functions", ("/api/v1/functions",), Address("language_title", "X-Function-Title")
)
#: Serves every path that no other function serves.
HEALTH = DeployedFunction("health", ("",))
#: Stands for every function: the metrics exporter adds its routes to each.
EVERY = DeployedFunction("every", ("",))
DEPLOYED = {function.name: function for function in (INITIALIZE, EXECUTE, SESSIONS, FUNCTIONS, HEALTH)}

MAY_EXECUTE = Permission("`execute:all` or `execute:<language>`", require_execute)
MAY_READ = Permission("`read:functions`", lambda identity, _: require_scope(identity, "read:functions"))

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
        failures={
            400: ("INVALID_REQUEST", "INVALID_PARAMS"),
            409: ("IDEMPOTENCY_CONFLICT",),
            500: ("RUNTIME_ERROR", "INTERNAL_ERROR"),
        },
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
        view=views.list_functions,
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
        view=views.describe_function,
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
        description="Deletes a function of the caller. Its sessions continue.",
        view=views.delete_function,
        # A caller who may register may delete. The scope to read is not enough.
        permission=MAY_EXECUTE,
        window="functions",
        parameters=(REF,),
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
