"""RequestParser: turns the body and the query of a call into a request (specification 4.1)."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from controller.errors import InvalidParams, InvalidRequest, NotFound
from controller.json_codec import dumps
from controller.models.cursors import names_of
from controller.models.registered import FunctionRef, LanguageTitle, Script
from controller.models.requests import (
    NO_DIRECTIVES,
    CacheDirectives,
    CallByName,
    ExecuteRequest,
    FunctionsQuery,
    InitializeRequest,
    KeyRequest,
    PackagesAsked,
    PutFunctionRequest,
)
from controller.models.stored import Alias, FunctionFilter
from controller.observability.correlation import REQUEST_ID
from controller.web import ids
from controller.web.body import json_body
from controller.web.function_schemas import ALIAS as ALIAS_SCHEMA
from controller.web.function_schemas import CONTEXT_OF_CALL, PUT_FUNCTION
from controller.web.loading import field_error, load
from controller.web.request_schemas import EXECUTE, FUNCTIONS, INITIALIZE, KEY, VERSIONS
from controller.web.strict_json import json_object

#: Most bytes of a version without its script, as JSON.
DETAILS_MAX = 256 * 1024
#: RFC 8941 has the key as a string in quotes; many clients send it without.
IDEMPOTENCY_KEY = re.compile(f'"(?P<quoted>{REQUEST_ID.pattern})"|(?P<bare>{REQUEST_ID.pattern})', re.ASCII)
#: Keys of `context` that control the service. The script sees all others.
CONTEXT_CONTROLS = ("timeout_ms", "retain_session", "compile_options", "isolation")
#: A WSGI request.
Environ = dict[str, Any]
NO_PARAMS = msgspec.Raw(b"{}")


class ExecuteBody(msgspec.Struct):
    """The part of an execute request's body that is passed on unparsed."""

    params: msgspec.Raw = NO_PARAMS


_BODY = msgspec.json.Decoder(ExecuteBody)


class RequestParser:
    """Reads what clients send.

    Args:
        script_max_bytes: the longest script, in UTF-8 bytes.
        body_max_bytes: the longest body, in bytes.
    """

    def __init__(self, script_max_bytes: int, body_max_bytes: int) -> None:
        self._script_max_bytes = script_max_bytes
        self._body_max_bytes = body_max_bytes

    def session_id(self, given: str) -> str:
        """Return the session's id from a path.

        Raises:
            NotFound: it cannot be the id of a session.
        """
        if not REQUEST_ID.fullmatch(given):
            raise NotFound("there is no such session")
        return given

    def body(self, environ: Environ) -> bytes:
        """Return the bytes of the body.

        Raises:
            InvalidRequest: see `controller.web.body.json_body`.
        """
        return json_body(environ, self._body_max_bytes)

    def initialize(self, environ: Environ, body: bytes) -> InitializeRequest:
        """Parse an initialize request.

        Raises:
            InvalidRequest: the header or a field is missing or malformed.
        """
        ref = ids.function_ref(environ.get("HTTP_LANGUAGE_TITLE"))
        loaded = load(INITIALIZE, json_object(body))
        context = loaded["context"]
        controls = {key: context.pop(key) for key in CONTEXT_CONTROLS}
        packages = _packages(context, "/context")
        if packages.given and loaded["script_content"] is None:
            raise field_error("context/packages", "packages, lock and refresh_packages need script_content")
        if ref.selector and loaded["script_content"] is not None:
            raise InvalidRequest(
                "a script makes a new version of its function: Language-Title must have no @"
            )
        return InitializeRequest(
            name=ref.name,
            selector=ref.selector,
            script=self._script(loaded["script_content"]),
            context=context,
            packages=packages,
            **controls,
        )

    def execute(self, request_id: str, environ: Environ, body: bytes) -> ExecuteRequest:
        """Parse an execute request.

        Raises:
            InvalidRequest: the body is not a JSON object or has unknown fields, or a cache directive or the
                idempotency key is malformed.
            InvalidParams: `params` is not an object.
        """
        session_id = self.session_id(request_id)
        return self._execute(session_id, environ, body, json_object(body))

    def execute_by_name(self, ref: str, environ: Environ, body: bytes) -> tuple[ExecuteRequest, CallByName]:
        """Parse a request that executes a function by name.

        Raises:
            InvalidRequest: as `execute` does. Or the reference is malformed, or `context` has a key that is not the
                script's.
            InvalidParams: `params` is not an object.
        """
        parsed = ids.function_ref(ref)
        document = json_object(body)
        context = document.pop("context", {})
        if context == {}:
            named = CallByName(parsed)
        else:
            context = load(CONTEXT_OF_CALL, {"context": context})["context"]
            own = {key: value for key, value in context.items() if key not in ("timeout_ms", "isolation")}
            named = CallByName(parsed, own, context.get("timeout_ms"), context.get("isolation"))
        return self._execute("", environ, body, document, named), named

    def _execute(
        self,
        session_id: str,
        environ: Environ,
        body: bytes,
        document: dict[str, Any],
        by_name: CallByName | None = None,
    ) -> ExecuteRequest:
        params = document.get("params", {})
        if not isinstance(params, dict):
            raise InvalidParams(
                "params must be an object",
                details={"errors": [{"pointer": "", "message": "must be an object"}]},
            )
        if document.keys() - {"params"}:
            load(EXECUTE, document)
        return ExecuteRequest(
            session_id,
            params,
            _params_text(body, params),
            _cache_directives(environ),
            _idempotency_key(environ),
            by_name,
        )

    def put_function(self, environ: Environ, ref: str, body: bytes) -> PutFunctionRequest:
        """Parse a request that makes a version of a function.

        Raises:
            InvalidRequest: a field is malformed, or all fields together are too long.
        """
        name = ids.language_title(ref)
        loaded = load(PUT_FUNCTION, json_object(body))
        packages = _packages(loaded)
        script, verify = self._script(loaded.pop("script_content", None)), loaded.pop("verify")
        if len(dumps(loaded)) > DETAILS_MAX:
            raise InvalidRequest(
                f"description, tags, schemas, examples and defaults have more than {DETAILS_MAX} bytes together"
            )
        return PutFunctionRequest(name, script, loaded, _if_match(environ), verify, packages)

    def alias_target(self, body: bytes) -> Alias:
        """Parse what an alias is to name. Raises InvalidRequest."""
        loaded = load(ALIAS_SCHEMA, json_object(body))
        canary = loaded.get("canary", {})
        return Alias(loaded["version"], canary.get("version"), canary.get("weight"))

    def versions(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Parse the query of the versions list: `cursor`, `per_page`. Raises InvalidRequest."""
        return load(VERSIONS, dict(query))

    def functions(self, query: Mapping[str, str]) -> FunctionsQuery:
        """Parse the query of the functions list.

        Raises:
            InvalidRequest: a parameter is malformed, or `page` is combined with `cursor`.
        """
        loaded = load(FUNCTIONS, dict(query))
        names = ("language", "user_id", "type", "query", "tag")
        chosen = FunctionFilter(*(loaded.get(name) for name in names))
        if "cursor" not in loaded:
            return FunctionsQuery(chosen, loaded["per_page"], loaded.get("page", 1))
        if "page" in loaded:
            raise field_error("page", "cannot be combined with cursor")
        return FunctionsQuery(chosen, loaded["per_page"], None, LanguageTitle(*names_of(loaded["cursor"])))

    def key(self, body: bytes) -> KeyRequest:
        """Parse a request for an API key.

        Raises:
            InvalidRequest: a field is missing or malformed.
        """
        loaded = load(KEY, json_object(body))
        functions: list[str] | None = loaded["functions"]
        scopes = tuple(dict.fromkeys(loaded["scope"].split()))
        references = None if functions is None else self._references(functions)
        return KeyRequest(loaded["name"], scopes, references, loaded["expires_at"])

    def _references(self, functions: list[str]) -> list[FunctionRef]:
        references = []
        for place, given in enumerate(functions):
            try:
                references.append(ids.function_ref(given))
            except InvalidRequest as error:
                raise field_error(f"functions/{place}", error.message) from error
        return list(dict.fromkeys(references))

    def _script(self, content: str | None) -> Script | None:
        if content is None:
            return None
        try:
            size = len(content.encode())
        except UnicodeEncodeError as error:
            raise field_error("script_content", "is not valid Unicode: it has a lone surrogate") from error
        if size > self._script_max_bytes:
            raise InvalidRequest(f"script_content is longer than {self._script_max_bytes} bytes", status=413)
        if "\0" in content:
            raise field_error("script_content", "has a NUL character")
        return Script.of(content)


def _packages(fields: dict[str, Any], place: str = "") -> PackagesAsked:
    """Take what concerns packages out of the loaded fields of an object at a place of the request."""
    return PackagesAsked(fields.pop("packages"), fields.pop("lock"), fields.pop("refresh_packages"), place)


def _params_text(body: bytes, params: dict[str, Any]) -> msgspec.Raw:
    try:
        return _BODY.decode(body).params
    except msgspec.DecodeError:
        # The body has a lone surrogate, which msgspec refuses.
        return msgspec.Raw(dumps(params))


def _cache_directives(environ: Environ) -> CacheDirectives:
    """Return the directives of `X-Cache-Control`: `no-cache` and `max-age=N`. Unknown ones are ignored.

    Raises:
        InvalidRequest: `max-age` is no number of seconds.
    """
    header = environ.get("HTTP_X_CACHE_CONTROL")
    return NO_DIRECTIVES if header is None else _parsed(header)


def _idempotency_key(environ: Environ) -> str | None:
    """Return the key without its quotes: quoted and bare, it is the same key. Raises InvalidRequest."""
    given = environ.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        return None
    key = IDEMPOTENCY_KEY.fullmatch(given)
    if key is None:
        raise InvalidRequest(
            "Idempotency-Key must be 1 to 64 of A-Za-z0-9._-, which may stand in double quotes"
        )
    return key["quoted"] or key["bare"]


def _if_match(environ: Environ) -> frozenset[str] | None:
    """Return the tags of `If-Match`, without their quotes. None: there is no such header."""
    header = environ.get("HTTP_IF_MATCH")
    if header is None:
        return None
    return frozenset(tag.strip().strip('"') for tag in header.split(","))


def _parsed(header: str) -> CacheDirectives:
    reuse, max_age = True, None
    for directive in header.split(","):
        name, _, value = directive.strip().partition("=")
        if name.lower() == "no-cache":
            reuse = False
        elif name.lower() == "max-age":
            if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
                raise InvalidRequest("X-Cache-Control: max-age must be a whole number of seconds")
            max_age = int(value)
    return CacheDirectives(reuse, max_age)
