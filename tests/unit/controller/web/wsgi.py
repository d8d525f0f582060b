"""The functions' applications on stores in memory, asked as a server asks them."""

from io import BytesIO
from pathlib import Path
from time import time
from types import SimpleNamespace
from typing import Any, NamedTuple, cast
from urllib.parse import unquote_to_bytes

import jwt
import msgspec
from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

from controller import VERSION
from controller.app import assembled
from controller.auth.api_keys import ApiKeys
from controller.auth.authenticator import Authenticator
from controller.auth.signing_keys import FixedKey
from controller.cache.backend import Quota, Window
from controller.cache.memory import MemoryBackend
from controller.composition import Controller
from controller.errors import ErrorAnswer
from controller.health import IsolationCheck
from controller.limits.rate_limit import RateLimiter
from controller.limits.settings import Limits
from controller.models.responses import Components, HealthAnswer
from controller.observability.masking import DEFAULT_MASKER
from controller.runtimes.selector import RuntimeSelector
from controller.web.deployed import DEPLOYED
from controller.web.openapi.document import document
from controller.web.openapi.reference import REFERENCE
from controller.web.pages import CONSOLE, Page
from controller.web.parsing import RequestParser
from controller.web.services import Services
from telemetry.tracing import UNTRACED
from tests.unit.controller.heart import ADDRESSES, Process, Stores

SECRET = "s" * 32
BODY_MAX = 4000
JSON = {"CONTENT_TYPE": "application/json"}
#: Statuses with which a request may be refused before its handler looks at the body.
REFUSED = {400, 401, 404, 405, 413, 415, 429}


class Healthy:
    """A service that has nothing to complain of. It takes the part of `HealthCheck`."""

    def document(self) -> HealthAnswer:
        return HealthAnswer("ok", VERSION, Components("ok", "ok", "ok", {"python": "ok"}))


class FullWindows(MemoryBackend):
    """A store in which no slot is ever free."""

    def take(self, window: Window) -> Quota:
        return Quota(False, 0, 1000)


class Answer(NamedTuple):
    """A response, as a server would send it."""

    status: int
    headers: Headers
    body: bytes

    def check(self, method: str) -> None:
        """No answer is an internal error, and each refusal has the shape of the contract."""
        assert self.status < 500, self
        if self.status == 405:
            assert self.headers["Allow"]
        if self.status == 401:
            assert self.headers["WWW-Authenticate"].startswith("Bearer")
        assert self.headers["X-Request-ID"]
        if self.status >= 400 and method.upper() != "HEAD":
            assert msgspec.json.decode(self.body, type=ErrorAnswer).error.code


class Functions:
    """Every function's application.

    Args:
        spent: whether every window is full.
        anonymous: the scopes of a caller without a token.
        console: the folder of the console.
    """

    def __init__(
        self, *, spent: bool = False, anonymous: frozenset[str] = frozenset(), console: Path = CONSOLE
    ) -> None:
        self.process = process = Process(Stores(FullWindows() if spent else None))
        services = Services(
            parser=RequestParser(script_max_bytes=100, body_max_bytes=BODY_MAX),
            authenticator=Authenticator(
                FixedKey("HS256", SECRET),
                "HS256",
                anonymous=anonymous,
                api_keys=ApiKeys(process.key_rows, process.cache.take),
            ),
            limiter=RateLimiter(process.cache, Limits(*((1,) * 5 if spent else (0,) * 5))),
            workflow=process.workflow,
            sessions=process.sessions,
            functions=process.functions,
            registrar=process.registrar,
            environments=process.catalog,
            keys=process.keys,
            history=process.history,
            health=cast(Any, Healthy()),
            isolation=IsolationCheck(RuntimeSelector(ADDRESSES), process.stores.runtime.isolation),
            contract=document(),
            console=Page.built(console),
            reference=REFERENCE,
        )
        settings = SimpleNamespace(body_max_bytes=BODY_MAX, cors_origins=frozenset({"https://a.example"}))
        shared = SimpleNamespace(
            settings=settings, services=services, metrics=process.metrics, tracer=UNTRACED,
            logger=process.logger, masker=DEFAULT_MASKER, close=lambda: None,
        )  # fmt: skip
        self._apps = {name: assembled(name, cast(Controller, shared)) for name in DEPLOYED}

    def ask(self, function: str, method: str, target: str, body: bytes = b"", **environ: Any) -> Answer:
        """Ask a function.

        Args:
            function: its name.
            method: the method, in any case.
            target: path and query, with escapes.
            body: the body.
            environ: further variables of the request; None removes one.
        """
        path, _, query = target.partition("?")
        asked = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8080",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
            "wsgi.input_terminated": True,
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
        } | environ
        present = {name: value for name, value in asked.items() if value is not None}
        parts, status, headers = run_wsgi_app(self._apps[function], present, buffered=True)
        return Answer(int(status[:3]), headers, b"".join(parts))


def bearer(user: str = "alice", scope: str = "execute:all read:functions", **claims: Any) -> str:
    """An `Authorization` header that holds."""
    return "Bearer " + jwt.encode(
        {"sub": user, "exp": time() + 86_400, "scope": scope} | claims, SECRET, "HS256"
    )
