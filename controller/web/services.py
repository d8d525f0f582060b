"""Services: the parts of the service that handlers use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.auth.authenticator import Authenticator
from controller.auth.issued_keys import IssuedKeys
from controller.execution.registration import FunctionRegistrar
from controller.execution.workflow import WorkflowManager
from controller.health import HealthCheck, IsolationCheck
from controller.history.history import History
from controller.limits.rate_limit import RateLimiter
from controller.registry.environments import EnvironmentCatalog
from controller.registry.functions import FunctionCatalog
from controller.registry.sessions import SessionManager
from controller.web.pages import Page
from controller.web.parsing import RequestParser


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of the service, made in `controller.composition`.

    Attributes:
        contract: the OpenAPI document.
        console: the page with the console.
        reference: the page that shows the OpenAPI document.
    """

    parser: RequestParser
    authenticator: Authenticator
    limiter: RateLimiter
    workflow: WorkflowManager
    sessions: SessionManager
    functions: FunctionCatalog
    registrar: FunctionRegistrar
    environments: EnvironmentCatalog
    keys: IssuedKeys
    history: History
    health: HealthCheck
    isolation: IsolationCheck
    contract: Mapping[str, Any]
    console: Page
    reference: Page
