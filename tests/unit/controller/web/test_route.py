"""Route.admit: a row's body, token and window."""

import io
import json
import time
from collections.abc import Iterator
from typing import Any, cast

import jwt
import pytest

from controller.auth.authenticator import Authenticator
from controller.auth.signing_keys import FixedKey
from controller.cache.manager import CacheManager
from controller.cache.memory import MemoryBackend
from controller.errors import Forbidden, RateLimited
from controller.limits.rate_limit import RateLimiter
from controller.limits.settings import Limits
from controller.observability.correlation import log_context
from controller.web.deployed import DEPLOYED, EVERY
from controller.web.function_routes import MAY_READ, MAY_READ_OWN
from controller.web.parsing import RequestParser
from controller.web.route import Route
from controller.web.routes import MAY_KEEP_KEYS, ROUTES, routes_of
from controller.web.services import Services
from tests.calls import CALLS

SECRET = "s" * 32


@pytest.fixture(autouse=True)
def log_context_of_its_own() -> Iterator[None]:
    """The calls here begin and never end."""
    before = log_context.set(None)
    yield
    log_context.reset(before)


@pytest.fixture
def services() -> Services:
    """What `admit` asks; it asks nothing else."""
    one_each = Limits(execute=1, anonymous=1, initialize=1, functions=1, manage=1)
    return Services(
        parser=RequestParser(script_max_bytes=100, body_max_bytes=100),
        authenticator=Authenticator(FixedKey("HS256", SECRET), "HS256"),
        limiter=RateLimiter(CacheManager(MemoryBackend(), 60, 60), one_each),
        **cast(
            Any,
            dict.fromkeys(
                (
                    "workflow",
                    "sessions",
                    "functions",
                    "registrar",
                    "environments",
                    "keys",
                    "history",
                    "health",
                    "isolation",
                    "contract",
                    "console",
                    "reference",
                )
            ),
        ),
    )


def environ(route: Route, **changes: str) -> dict[str, Any]:
    body = json.dumps({}).encode()
    claims = {"sub": "alice", "exp": time.time() + 60, "scope": "read:functions"}
    return {
        "REQUEST_METHOD": route.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": route.path,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "HTTP_AUTHORIZATION": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}",
    } | changes


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_request_is_admitted_as_its_row_says(services: Services, route: Route) -> None:
    request = environ(route)
    call = CALLS.begin(request)
    admitted = route.admit(services, call, request)
    window = admitted.admission.window
    user = "alice" if route.permission else ""
    assert (admitted.identity.subject, call.user_id) == (user, user)
    if route.window is None:
        assert window is None
    else:
        assert window is not None
        assert window.key.endswith(f":{route.window}:alice")
    assert admitted.body == (b"{}" if route.body else b"")
    assert call.admission is admitted.admission


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_place_in_the_window_is_taken_once_the_handler_asks_for_it(
    services: Services, route: Route
) -> None:
    first, second = (route.admit(services, CALLS.begin(environ(route)), environ(route)) for _ in range(2))
    first.admission.charge()
    if route.window is None:
        second.admission.charge()
        assert second.admission.headers() == {}
    else:
        with pytest.raises(RateLimited):
            second.admission.charge()


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.permission], ids=lambda route: route.name
)
def test_the_scope_is_that_of_the_row(services: Services, route: Route) -> None:
    request = environ(route)
    admitted = route.admit(services, CALLS.begin(request), request)
    if route.permission in (MAY_READ, MAY_READ_OWN):
        admitted.permit("python")
    else:
        needed = "scope keys" if route.permission is MAY_KEEP_KEYS else "execute:python"
        with pytest.raises(Forbidden, match=needed):
            admitted.permit("python")


def test_each_row_belongs_to_a_deployed_function() -> None:
    served = [route for function in DEPLOYED for route in routes_of(function)]
    assert served + [route for route in ROUTES if route.function is EVERY] == sorted(ROUTES, key=_place)
    assert len({route.name for route in ROUTES}) == len(ROUTES)


def _place(route: Route) -> int:
    return [*DEPLOYED, EVERY.name].index(route.function.name)
