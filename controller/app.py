"""The app of each function, made of this process's objects."""

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gunicorn.arbiter import Arbiter

from configuration.errors import UnusableSetting
from controller.call import CallFactory
from controller.composition import Controller, compose
from controller.observability.logs import configure
from controller.observability.masking import Masker
from controller.settings import Settings
from controller.web.cors import OriginPolicy
from controller.web.deployed import DEPLOYED, EXECUTE
from controller.web.flask_app import Function, add_routes, answer_errors, observe
from controller.web.id_fallback import WithFallbackId
from controller.web.routes import plain_routes_of, routes_of
from telemetry.tracing import UnusableTracing

if TYPE_CHECKING:
    pass


@cache
def controller() -> Controller:
    """Return this process's controller, made from the environment. A bad setting ends the process with one line."""
    try:
        settings = Settings.from_environment(Path(".env"))
    except UnusableSetting as error:
        raise _refusal(str(error)) from None
    configure(settings.log_level, settings.access_log, Masker(settings.mask_keys))
    try:
        composed = compose(settings)
        composed.start()
    except (UnusableSetting, UnusableTracing) as error:
        raise _refusal(str(error)) from None
    except OSError as error:
        raise _refusal(f"METRICS_PORT {settings.metrics_port}: {error.strerror}") from None
    return composed


def _refusal(reason: str) -> SystemExit:
    """Return an exit that ends the server: with any other status gunicorn would restart the worker forever."""
    print(f"controller: {reason}", file=sys.stderr)
    return SystemExit(Arbiter.WORKER_BOOT_ERROR)


def application(name: str) -> Function:
    """Return the app of one function.

    Args:
        name: initialize, execute, sessions, functions or health.
    """
    return assembled(name, controller())


def assembled(name: str, shared: Controller) -> Function:
    """Return the app of one function, made of the shared objects."""
    app = Function(name, shared.close, shared.settings.body_max_bytes)
    calls = CallFactory(name, shared.metrics, shared.tracer, shared.logger, shared.masker)
    origins = OriginPolicy(shared.settings.cors_origins)
    shared.metrics.serve(app)
    observe(app, calls)
    origins.observe(app)
    answer_errors(app)
    routes = routes_of(name)
    add_routes(app, shared.services, routes)
    if (address := DEPLOYED[name].address) is not None:
        app.wsgi_app = WithFallbackId(app.wsgi_app, address)  # type: ignore[method-assign]
    pages = origins if shared.settings.cors_origins else None
    executions = CallFactory(EXECUTE.name, shared.metrics, shared.tracer, shared.logger, shared.masker)
    for route in plain_routes_of(name):
        if route.plain is not None:
            app.wsgi_app = route.plain(route, shared.services, executions, pages, app.wsgi_app)  # type: ignore[assignment, method-assign]
    return app
