"""An id that comes in the query or in a header: `faas-cli invoke` knows no path below a function's own."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


@dataclass(frozen=True, slots=True)
class Address:
    """Where else than in the path a function finds the id it is asked for.

    Args:
        parameter: of the query; has the name that the path's part has in the contract.
        header: not one that other calls send for another purpose.
    """

    parameter: str
    header: str

    def find(self, environ: dict[str, Any]) -> str:
        """The id as a WSGI path has it; empty when there is none."""
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
    """The WSGI application of a function that answers `/` with an id elsewhere like `/{id}`."""

    def __init__(self, application: "WSGIApplication", address: Address) -> None:
        self._application = application
        self._address = address

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] in ROOTS:
            self._address.restore(environ)
        return self._application(environ, start_response)
