"""The protocol between server and application: mypy holds every application to it, and the server reads all of it."""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from http_app import HANGUP, Adapted, HttpApp, Watch
from http_limits import BODY_BYTES, Limits
from log_format import CALL_ID, CallIdMiddleware

from controller.execution.flights import Watch as ControllersWatch
from controller.web.flask_app import Function
from runtime.front.app import Front

if TYPE_CHECKING:
    from function.service import Service

    def applications(
        function: Function, service: Service, front: Front, middleware: CallIdMiddleware
    ) -> list[HttpApp]:
        """What is served: for mypy."""
        return [function, service, front, middleware]

    def watches(given: Watch) -> ControllersWatch:
        """What the controller takes `client.hangup` for: for mypy."""
        return given


SETTINGS = SimpleNamespace(limit_request_line=0, limit_request_fields=10, limit_request_field_size=0)


class Announcing:
    """An application that has all of the protocol."""

    body_max_bytes = 7

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any], /) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [CALL_ID.get().encode()]

    def drain(self) -> None:
        self.told.append("drain")

    def busy(self) -> bool:
        return len(self.told) < 2

    def close(self) -> None:
        self.told.append("close")


def plain(environ: dict[str, Any], start_response: Callable[..., Any], /) -> Iterable[bytes]:
    return [b"plain"]


@pytest.mark.parametrize("wrapped", [Adapted, CallIdMiddleware])
def test_an_application_is_told_through_what_wraps_it(wrapped: type[Adapted]) -> None:
    application = Announcing()
    served = wrapped(application)
    assert served.busy()
    served.drain()
    served.close()
    assert not served.busy()
    assert application.told == ["drain", "close"]
    limits = Limits.of(SETTINGS, Adapted(served))
    assert (limits.body_bytes, limits.asks_application) == (7, True)


@pytest.mark.parametrize("wrapped", [Adapted, CallIdMiddleware])
def test_an_application_that_knows_nothing_of_it_is_served_all_the_same(wrapped: type[Adapted]) -> None:
    served = wrapped(plain)
    assert not served.busy()
    served.drain()
    served.close()
    limits = Limits.of(SETTINGS, Adapted(served))
    assert (limits.body_bytes, limits.asks_application) == (BODY_BYTES, False)
    assert list(served({HANGUP: None}, lambda *_: None)) == [b"plain"]


def test_the_controllers_app_announces_its_longest_body_and_is_closed() -> None:
    closed: list[bool] = []
    app: HttpApp = Function("health", close=lambda: closed.append(True), body_max_bytes=9)
    served = CallIdMiddleware(app)
    served.drain()
    assert (Limits.of(SETTINGS, served).body_bytes, closed) == (9, [])
    served.close()
    assert closed == [True]
