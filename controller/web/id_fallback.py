"""Reads an id from the query or a header: `faas-cli invoke` cannot add a path to a function's address."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


@dataclass(frozen=True, slots=True)
class Address:
    """Where a function finds the id if the path has none.

    Args:
        parameter: the query parameter. Its name is that of the path's part in the contract.
        header: the request header. No other call uses it for another purpose.
    """

    parameter: str
    header: str

    def find(self, environ: dict[str, Any]) -> str:
        """Return the id, encoded like a WSGI path. Empty: there is none."""
        given: list[str] = parse_qs(environ.get("QUERY_STRING", "")).get(self.parameter, [])
        if given:
            return given[0].encode(errors="replace").decode("latin-1")
        return str(environ.get(f"HTTP_{self.header.upper().replace('-', '_')}", ""))

    def restore(self, environ: dict[str, Any]) -> None:
        """Put the id into the path, if there is one."""
        if found := self.find(environ):
            environ["PATH_INFO"] = f"/{found}"


#: Paths without an id.
ROOTS = ("", "/")


class WithFallbackId:
    """A WSGI application that treats `/` with an id in the query or a header like `/{id}`."""

    def __init__(self, application: "WSGIApplication", address: Address) -> None:
        self._application = application
        self._address = address

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request, with the id in its path."""
        if environ["PATH_INFO"] in ROOTS:
            self._address.restore(environ)
        return self._application(environ, start_response)
