"""The composition root: settings to objects to a Flask app. Nobody else knows which backends there are."""

import logging
import sys
from collections.abc import Callable
from contextvars import Token
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from environs import EnvError
from flask import Flask, Response, g, jsonify, request
from flask.json.provider import DefaultJSONProvider
from gunicorn.arbiter import Arbiter
from werkzeug.exceptions import HTTPException

from controller.auth import Authenticator
from controller.cache.manager import CacheManager
from controller.cache.redis import RedisBackend
from controller.cors import allow_origins
from controller.database.logger import DatabaseLogger
from controller.database.postgres import Postgres
from controller.errors import InvalidRequest, NotFound, ServiceError
from controller.functions import FunctionCatalog
from controller.health import HealthCheck
from controller.keys import FixedKey, JwksKeys, KeySource
from controller.logs import Trace, configure, current_trace
from controller.maintenance import Maintenance
from controller.metrics import MetricsCollector, MetricsServer
from controller.quotas import Quotas
from controller.request import RequestParser
from controller.runtime import RuntimeClient
from controller.scripts import ScriptStore
from controller.selector import RuntimeSelector
from controller.session import SessionManager
from controller.settings import Settings
from controller.token_settings import TokenSettings
from controller.views import BLUEPRINTS, Services
from controller.workflow import WorkflowManager

log = logging.getLogger(__name__)

CACHE_TIMEOUT = 0.5
"""Seconds to wait for Redis: going on without it beats waiting for it."""
MAINTENANCE_INTERVAL = 30.0
LAST_WORDS = 5.0
"""Seconds in which waiting log records are written at the end."""
MONTHS_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Controller:
    """Everything one process shares, made once."""

    settings: Settings
    services: Services
    parser: RequestParser
    metrics: MetricsCollector
    postgres: Postgres
    logger: DatabaseLogger
    maintenance: Maintenance
    metrics_server: MetricsServer

    def start(self) -> None:
        """Starts what works in the background; raises OSError when METRICS_PORT is taken."""
        self.metrics_server.start()
        self.logger.start()
        self.maintenance.start()

    def close(self) -> None:
        """Ends in order: no new work in the background, then the last log records, then their connections."""
        self.maintenance.close()
        self.logger.close(LAST_WORDS)
        self.postgres.close()
        self.metrics_server.close()


class Function(Flask):
    """One endpoint's app. The server calls `close` when its worker ends."""

    close: Callable[[], None]


class Json(DefaultJSONProvider):
    """Answers as the contract shows them: fields in its order."""

    sort_keys = False
    compact = True


def compose(settings: Settings) -> Controller:
    """Makes the objects and hands them to each other."""
    timeout = settings.request_timeout / 1000
    metrics = MetricsCollector()
    postgres = Postgres(settings.postgres_url, settings.postgres_connections, timeout)
    backend = RedisBackend(settings.redis_url, CACHE_TIMEOUT)
    kept = CacheManager(backend, settings.cache_ttl, settings.session_ttl, metrics)
    logger = DatabaseLogger(postgres, settings.log_queue_size, metrics)
    sessions = SessionManager(kept, postgres, logger, metrics, settings.sessions_in_memory)
    functions = FunctionCatalog(postgres)
    selector = RuntimeSelector(settings.runtime_urls)
    runtimes = RuntimeClient(settings.runtime_secret, timeout)
    workflow = WorkflowManager(
        sessions=sessions,
        scripts=ScriptStore(kept, postgres),
        functions=functions,
        quotas=Quotas(postgres, settings.sessions_per_user_max, settings.functions_per_user_max),
        selector=selector,
        runtimes=runtimes,
        cache=kept,
        logger=logger,
        metrics=metrics,
        session_ttl=settings.session_ttl,
        script_timeout_max=settings.script_timeout_max,
    )
    parser = RequestParser(settings.script_max_bytes)
    services = Services(
        parser=parser,
        authenticator=_authenticator(settings.tokens),
        workflow=workflow,
        sessions=sessions,
        functions=functions,
        health=HealthCheck(kept, postgres, selector, runtimes),
    )
    maintenance = Maintenance(
        [
            sessions.clean_up,
            functions.clean_up,
            lambda: postgres.query("ensure_log_partitions", months_ahead=MONTHS_AHEAD),
        ],
        MAINTENANCE_INTERVAL,
    )
    server = MetricsServer(settings.metrics_port)
    return Controller(settings, services, parser, metrics, postgres, logger, maintenance, server)


def _authenticator(tokens: TokenSettings) -> Authenticator:
    keys: KeySource
    if tokens.jwks_url is not None:
        keys = JwksKeys(tokens.algorithm, tokens.jwks_url)
    else:
        keys = FixedKey(tokens.algorithm, tokens.secret or tokens.public_key or "")
    return Authenticator(
        keys,
        tokens.algorithm,
        issuer=tokens.issuer,
        audience=tokens.audience,
        leeway=tokens.leeway,
        anonymous=tokens.anonymous,
    )


@cache
def controller() -> Controller:
    """This process's controller, from its environment; a bad setting ends the process with one line."""
    try:
        settings = Settings.from_environment(Path(".env"))
    except (EnvError, ValueError) as error:
        raise _refusal(str(error)) from None
    configure(settings.log_level)
    composed = compose(settings)
    try:
        composed.start()
    except OSError as error:
        raise _refusal(f"METRICS_PORT {settings.metrics_port}: {error.strerror}") from None
    return composed


def _refusal(reason: str) -> SystemExit:
    """Ends the server, not only its worker: gunicorn starts a worker anew for ever, unless its status is this one."""
    print(f"controller: {reason}", file=sys.stderr)
    return SystemExit(Arbiter.WORKER_BOOT_ERROR)


def application(name: str) -> Function:
    """The app of one function.

    Args:
        name: initialize, execute, sessions, functions or health.
    """
    shared = controller()
    app = Function(f"lambda-{name}", root_path=str(Path(__file__).parent))
    app.close = shared.close
    app.json = Json(app)
    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = shared.settings.body_max_bytes
    shared.metrics.observe(app)
    _mark_requests(app, shared.parser)
    allow_origins(app, shared.settings.cors_origins)
    _answer_errors(app)
    app.register_blueprint(BLUEPRINTS[name](shared.services))
    return app


def _mark_requests(app: Flask, parser: RequestParser) -> None:
    """Gives every request its id, in its answer and in every log line."""

    @app.before_request
    def mark() -> None:
        g.trace = parser.trace(request.headers)
        g.trace_token = current_trace.set(g.trace)

    @app.after_request
    def echo(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.trace.http_request_id
        return response

    @app.teardown_request
    def unmark(_: BaseException | None) -> None:
        token: Token[Trace | None] | None = g.pop("trace_token", None)
        if token is not None:
            current_trace.reset(token)


def _answer_errors(app: Flask) -> None:
    """The one boundary between what went wrong and what the client is told."""

    @app.errorhandler(ServiceError)
    def expected(error: ServiceError) -> Response:
        response = jsonify(error.document())
        response.status_code = error.status
        response.headers.update(error.headers())
        return response

    @app.errorhandler(HTTPException)
    def of_http(error: HTTPException) -> Response:
        status = error.code or 500
        if status == 404:
            return expected(NotFound("there is no such path"))
        if status >= 500:
            return unexpected(error)
        response = expected(InvalidRequest(error.name.lower(), status=status))
        response.headers.extend({name: value for name, value in error.get_headers() if name == "Allow"})
        return response

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("an internal error", exc_info=error)
        return expected(ServiceError("an internal error"))
