"""What a row of the table of routes says, and the checks that it asks for before its handler."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flask import Response
from marshmallow import Schema
from msgspec import Struct

from controller.call import Call, CallFactory
from controller.limits.rate_limit import Admission
from controller.models.registered import Identity
from controller.web.cors import OriginPolicy
from controller.web.id_fallback import Address
from controller.web.services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

WindowName = Literal["execute", "initialize", "functions"]
Reply = Response | tuple[Response, int] | tuple[str, int]
Failures = Mapping[int, tuple[str, ...]]
#: Who asks where no token is needed.
NOBODY = Identity("", frozenset())
NO_IDS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class DeployedFunction:
    """A function of stack.yml.

    Attributes:
        prefixes: where its paths lie: the public prefix first, then its aliases.
        address: where else than in the path it looks for an id.
    """

    name: str
    prefixes: tuple[str, ...]
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """A scope that the token must hold.

    Attributes:
        scopes: the scope as the document names it.
        require: raises Forbidden for a caller who may not act on a language.
    """

    scopes: str
    require: Callable[[Identity, str], None]


class Admitted(Struct, frozen=True):
    """A request that has passed the checks before its handler.

    Attributes:
        admission: its place in the rate limit's window, not taken yet.
        body: empty where the route takes none.
        ids: the parts of the path, by their names in the route.
    """

    call: Call
    identity: Identity
    admission: Admission
    permission: Permission | None
    body: bytes
    ids: Mapping[str, str]

    def permit(self, language: str = "") -> None:
        """Check the scope. Handlers do so after they have found what the caller owns: a 403 reveals nothing.

        Raises:
            Forbidden: the scope is missing.
        """
        if self.permission is not None:
            self.permission.require(self.identity, language)


View = Callable[[Services, Admitted], Reply]
PlainRoute = Callable[
    ["Route", Services, CallFactory, OriginPolicy | None, "WSGIApplication"], "WSGIApplication"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path.

    Attributes:
        function: the deployed function that serves it.
        path: in that function, with the names of ids in braces.
        aliases: further paths in that function.
        name: the operation's in the OpenAPI document.
        description: of the operation, in one sentence.
        view: answers it in Flask. None: it is answered by `plain`, or by the exporter of metrics.
        plain: makes the WSGI application that answers it in place of Flask.
        permission: what the token must hold. None: no token is needed.
        window: of the rate limit. None: it is not limited.
        parameters: of the operation: OpenAPI's objects, or what apispec makes them of.
        body: schema of the body.
        answer: struct of the response; a media type when it is no JSON of ours; None: there is no body.
        status: of a success.
        failures: codes by status, where they are not those of all such routes.
    """

    function: DeployedFunction
    method: Literal["GET", "POST", "DELETE"]
    path: str
    aliases: tuple[str, ...] = ()
    name: str
    description: str
    view: View | None = None
    plain: PlainRoute | None = None
    permission: Permission | None = None
    window: WindowName | None = None
    parameters: tuple[Any, ...] = ()
    body: type[Schema] | None = None
    answer: type[Struct] | str | None = None
    status: int = 200
    failures: Failures = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """The paths outside, the public one first."""
        rest = "" if self.path == "/" else self.path
        return [prefix + rest for prefix in self.function.prefixes]

    def admit(
        self, services: Services, call: Call, environ: dict[str, Any], ids: Mapping[str, str] = NO_IDS
    ) -> Admitted:
        """Check a request's body and token. The handler takes the place in the window.

        Raises:
            InvalidRequest: the body is too large (413) or not JSON (415).
            Unauthorized: the token is missing or does not hold.
        """
        body = b"" if self.body is None else services.parser.body(environ)
        identity = NOBODY
        if self.permission is not None:
            identity = services.authenticator.identify(environ.get("HTTP_AUTHORIZATION"))
            call.called_by(identity)
        admission = services.limiter.admission(self.window, identity, environ.get("REMOTE_ADDR", ""))
        call.admission = admission
        return Admitted(call, identity, admission, self.permission, body, ids)
