"""The part of the table of routes that has functions, their versions and aliases."""

from controller.auth.authenticator import READ, require_execute, require_scope, require_write
from controller.models import responses
from controller.web import function_views
from controller.web.deployed import FUNCTIONS
from controller.web.execute import ExecuteByNameRoute
from controller.web.function_schemas import AliasSchema, ExecuteByNameSchema, PutFunctionSchema
from controller.web.parameters import (
    ALIAS_NAME,
    CACHE_CONTROL,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    NAME,
    PARTS_OF,
    REF,
)
from controller.web.request_schemas import FunctionsSchema, VersionsSchema
from controller.web.route import Failures, Permission, Route

MAY_EXECUTE = Permission("`execute:all` or `execute:<language>`", require_execute)
#: Of executions by id and by name.
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

FUNCTION_ROUTES = (
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
)
