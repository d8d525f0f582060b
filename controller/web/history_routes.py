"""The part of the table of routes that has what users ran and used, and what confined it."""

from controller.models.history import ExecutionPage, UsageAnswer
from controller.models.responses import IsolationAnswer
from controller.web import history_views
from controller.web.deployed import EXECUTIONS, ISOLATION, USAGE
from controller.web.function_routes import MAY_READ_OWN
from controller.web.history_schemas import ExecutionsSchema, UsageSchema
from controller.web.route import Route

HISTORY_ROUTES = (
    Route(
        function=USAGE,
        method="GET",
        path="/",
        name="usage",
        description="What the caller's executions used, by hour or day.",
        view=history_views.usage,
        permission=MAY_READ_OWN,
        window="manage",
        parameters=({"in": "query", "schema": UsageSchema},),
        answer=UsageAnswer,
    ),
    Route(
        function=EXECUTIONS,
        method="GET",
        path="/",
        name="list_executions",
        description="The caller's executions, the newest first, as the log has them.",
        view=history_views.list_executions,
        permission=MAY_READ_OWN,
        window="manage",
        parameters=({"in": "query", "schema": ExecutionsSchema},),
        answer=ExecutionPage,
    ),
    Route(
        function=ISOLATION,
        method="GET",
        path="/",
        name="isolation",
        description="Which layers confine scripts, by language.",
        view=history_views.isolation,
        permission=MAY_READ_OWN,
        window="manage",
        answer=IsolationAnswer,
    ),
)
