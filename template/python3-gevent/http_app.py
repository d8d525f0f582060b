"""The protocol between the server and an application, besides WSGI.

The environ of a request has `client.hangup` (HANGUP), a `Watch`: it takes a function that is called, in another
greenlet, when the client goes away before it was answered. Without one nothing happens to the request.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

HANGUP = "client.hangup"
Watch = Callable[[Callable[[], object]], object]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class HttpApp(Protocol):
    """A WSGI application that knows its server. Any other one becomes it by `Adapted`."""

    @property
    def body_max_bytes(self) -> int | None:
        """The longest body. A request with more comes without it, to be refused. None: HTTP_BODY_MAX_BYTES."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any], /) -> Iterable[bytes]: ...

    def drain(self) -> None:
        """Take no more work: SIGTERM has come. What runs may go on."""

    def close(self) -> None:
        """End what was started: the worker ends."""


class Adapted:
    """Any WSGI application as an HttpApp: what it lacks does nothing."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.body_max_bytes: int | None = getattr(application, "body_max_bytes", None)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any], /) -> Iterable[bytes]:
        return self._application(environ, start_response)

    def drain(self) -> None:
        """Tell the application, if it wants to know."""
        getattr(self._application, "drain", _nothing)()

    def busy(self) -> bool:
        """Return whether the application, if it has a `busy`, does work that did not come as a request.

        The worker waits for that work before it ends.
        """
        return bool(getattr(self._application, "busy", _nothing)())

    def close(self) -> None:
        """Tell the application, if it wants to know."""
        getattr(self._application, "close", _nothing)()


def _nothing() -> None: ...
