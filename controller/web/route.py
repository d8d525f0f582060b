"""Route: a row of the table of routes, and the checks that a request passes before its handler."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flask import Response
from marshmallow import Schema
from msgspec import Struct

from controller.call import Call, CallFactory
from controller.errors import TokenMissing
from controller.limits.rate_limit import Admission
from controller.models.registered import Identity
from controller.web.cors import OriginPolicy
from controller.web.deployed import DeployedFunction
from controller.web.services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

WindowName = Literal["execute", "initialize", "functions", "manage"]
Reply = Response | tuple[Response, int] | tuple[str, int]
Failures = Mapping[int, tuple[str, ...]]
#: The caller of a route that needs no token.
NO_CALLER = Identity("", frozenset())
NO_IDS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Permission:
    """A scope that the token must hold.

    Attributes:
        scopes: the scope as the OpenAPI document names it.
        require: raises Forbidden if the caller's token lacks the scope for a language.
        anonymous: whether callers without a token, where they are allowed, may have it.
    """

    scopes: str
    require: Callable[[Identity, str], None]
    anonymous: bool = True


class Admitted(Struct, frozen=True):
    """A request that has passed the checks before its handler.

    Attributes:
        admission: the request's slot in the rate limit, not taken yet.
        body: empty if the route takes no body.
        ids: the ids in the path, by their names in the route.
    """

    call: Call
    identity: Identity
    admission: Admission
    permission: Permission | None
    body: bytes
    ids: Mapping[str, str]

    def permit(self, language: str = "") -> None:
        """Check the scope. Handlers call it after the lookup, so that a 403 reveals nothing about other users.

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
        path: the path in that function's folder, with the names of ids in braces.
        aliases: further paths in that folder.
        name: the operation's name in the OpenAPI document.
        description: the operation in one sentence.
        view: the Flask view. None: `plain` or the metrics exporter answers.
        plain: makes the WSGI application that answers in place of Flask.
        permission: the scope that the token must hold. None: no token is needed.
        window: the window of the rate limit. None: no limit.
        parameters: the operation's parameters: OpenAPI objects, or schemas for apispec.
        body: the schema of the body. None: there is no body.
        answer: the struct of the response, or a media type if it is not JSON. None: there is no body.
        name_only: whether the id is a function's name without `@`. With one, the method is refused (405).
        status: the status of a success.
        created: whether a success may be 201 as well.
        failures: error codes by status, in addition to those of all similar routes.
    """

    function: DeployedFunction
    method: Literal["GET", "PUT", "POST", "DELETE"]
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
    name_only: bool = False
    status: int = 200
    created: bool = False
    failures: Failures = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """Return the full paths, the public one first."""
        rest = "" if self.path == "/" else self.path
        return [prefix + rest for prefix in self.function.prefixes]

    @property
    def own_paths(self) -> list[str]:
        """Return the paths that the deployed function serves."""
        folder = self.function.folder
        return [folder + ("" if folder and path == "/" else path) for path in (self.path, *self.aliases)]

    def admit(
        self, services: Services, call: Call, environ: dict[str, Any], ids: Mapping[str, str] = NO_IDS
    ) -> Admitted:
        """Check a request's body and token. The handler takes the slot in the rate limit.

        Raises:
            InvalidRequest: the body is too large (413) or not JSON (415).
            Unauthorized: the token is missing or invalid.
        """
        body = b"" if self.body is None else services.parser.body(environ)
        identity, address = NO_CALLER, environ.get("REMOTE_ADDR", "")
        if self.permission is not None:
            identity = services.authenticator.identify(environ.get("HTTP_AUTHORIZATION"), address)
            call.called_by(identity)
            if identity.anonymous and not self.permission.anonymous:
                raise TokenMissing("this call needs a token: all callers without one are one user")
        admission = services.limiter.admission(self.window, identity, address)
        call.admission = admission
        return Admitted(call, identity, admission, self.permission, body, ids)
