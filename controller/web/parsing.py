"""RequestParser: reads the headers and the body of a call (specification 4.1)."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import msgspec
from marshmallow import Schema, ValidationError

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
    PutFunctionRequest,
)
from controller.models.stored import Alias, FunctionFilter
from controller.observability.correlation import REQUEST_ID
from controller.web.body import json_body, json_object
from controller.web.function_schemas import ALIAS as ALIAS_SCHEMA
from controller.web.function_schemas import CONTEXT_OF_CALL, PUT_FUNCTION
from controller.web.request_schemas import EXECUTE, FUNCTIONS, INITIALIZE, KEY, VERSIONS

LANGUAGE_TITLE = re.compile(r"([a-z][a-z0-9]*)-([A-Za-z0-9][A-Za-z0-9._-]{0,63})", re.ASCII)
LANGUAGE_TITLE_MAX = 128
#: Most bytes of a version without its script, as JSON.
DETAILS_MAX = 256 * 1024
ALIAS = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
#: What follows the `@` of a reference: the number of a version, or an alias.
SELECTOR = re.compile(rf"[1-9][0-9]{{0,8}}|{ALIAS.pattern}", re.ASCII)
#: Calls by name parse the same few.
REFERENCES_REMEMBERED = 10_000
KEY_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
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
        ref = self.function_ref(environ.get("HTTP_LANGUAGE_TITLE"))
        loaded = _load(INITIALIZE, json_object(body))
        context = loaded["context"]
        controls = {key: context.pop(key) for key in CONTEXT_CONTROLS}
        if ref.selector and loaded["script_content"] is not None:
            raise InvalidRequest(
                "a script makes a new version of its function: Language-Title must have no @"
            )
        return InitializeRequest(
            name=ref.name,
            selector=ref.selector,
            script=self._script(loaded["script_content"]),
            context=context,
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
        parsed = self.function_ref(ref)
        document = json_object(body)
        context = document.pop("context", {})
        if context == {}:
            named = CallByName(parsed)
        else:
            context = _load(CONTEXT_OF_CALL, {"context": context})["context"]
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
            _load(EXECUTE, document)
        directives = environ.get("HTTP_X_CACHE_CONTROL")
        return ExecuteRequest(
            session_id,
            params,
            _params_text(body, params),
            NO_DIRECTIVES if directives is None else _directives(directives),
            _idempotency_key(environ),
            by_name,
        )

    def put_function(self, environ: Environ, ref: str, body: bytes) -> PutFunctionRequest:
        """Parse a request that makes a version of a function.

        Raises:
            InvalidRequest: a field is malformed, or all fields together are too long.
        """
        name = self.language_title(ref)
        loaded = _load(PUT_FUNCTION, json_object(body))
        for key in ("packages", "lock", "refresh_packages"):
            if loaded.pop(key):
                raise _field_error(key, "packages of a script are not available: leave it out")
        script, verify = self._script(loaded.pop("script_content", None)), loaded.pop("verify")
        if len(dumps(loaded)) > DETAILS_MAX:
            raise InvalidRequest(
                f"description, tags, schemas, examples and defaults have more than {DETAILS_MAX} bytes together"
            )
        return PutFunctionRequest(name, script, loaded, _if_match(environ), verify)

    def alias(self, given: str) -> str:
        """Return an alias from a path. Raises InvalidRequest if it cannot be one."""
        if not ALIAS.fullmatch(given):
            raise InvalidRequest("an alias is a lower-case letter, then up to 31 of a-z0-9-")
        return given

    def alias_target(self, body: bytes) -> Alias:
        """Parse what an alias is to name. Raises InvalidRequest."""
        loaded = _load(ALIAS_SCHEMA, json_object(body))
        canary = loaded.get("canary", {})
        return Alias(loaded["version"], canary.get("version"), canary.get("weight"))

    def versions(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Parse the query of the versions list: `cursor`, `per_page`. Raises InvalidRequest."""
        return _load(VERSIONS, dict(query))

    def functions(self, query: Mapping[str, str]) -> FunctionsQuery:
        """Parse the query of the functions list.

        Raises:
            InvalidRequest: a parameter is malformed, or `page` stands beside `cursor`.
        """
        loaded = _load(FUNCTIONS, dict(query))
        names = ("language", "user_id", "type", "query", "tag")
        chosen = FunctionFilter(*(loaded.get(name) for name in names))
        if "cursor" not in loaded:
            return FunctionsQuery(chosen, loaded["per_page"], loaded.get("page", 1))
        if "page" in loaded:
            raise _field_error("page", "stands beside a cursor: give one of them")
        return FunctionsQuery(chosen, loaded["per_page"], None, LanguageTitle(*names_of(loaded["cursor"])))

    def language_title(self, given: str | None) -> LanguageTitle:
        """Parse `<language>-<title>`.

        Raises:
            InvalidRequest: the text is missing or malformed.
        """
        if given is None:
            raise InvalidRequest("the header Language-Title is missing")
        return _language_title(given)

    def function_ref(self, given: str | None) -> FunctionRef:
        """Parse `<language>-<title>`, `<language>-<title>@<version>` or `<language>-<title>@<alias>`.

        Raises:
            InvalidRequest: the text is missing or malformed.
        """
        if given is None:
            raise InvalidRequest("the header Language-Title is missing")
        return _reference(given)

    def key(self, body: bytes) -> KeyRequest:
        """Parse a request for an API key.

        Raises:
            InvalidRequest: a field is missing or malformed.
        """
        loaded = _load(KEY, json_object(body))
        functions: list[str] | None = loaded["functions"]
        scopes = tuple(dict.fromkeys(loaded["scope"].split()))
        references = None if functions is None else self._references(functions)
        return KeyRequest(loaded["name"], scopes, references, loaded["expires_at"])

    def key_id(self, given: str) -> str:
        """Return the id of an API key from a path.

        Raises:
            NotFound: it cannot be the id of a key.
        """
        if not KEY_ID.fullmatch(given):
            raise NotFound("there is no such key")
        return given

    def _references(self, functions: list[str]) -> list[FunctionRef]:
        references = []
        for place, given in enumerate(functions):
            try:
                references.append(self.function_ref(given))
            except InvalidRequest as error:
                raise _field_error(f"functions/{place}", error.message) from error
        return list(dict.fromkeys(references))

    def _script(self, content: str | None) -> Script | None:
        if content is None:
            return None
        try:
            size = len(content.encode())
        except UnicodeEncodeError as error:
            raise _field_error("script_content", "is not valid Unicode: it has a lone surrogate") from error
        if size > self._script_max_bytes:
            raise InvalidRequest(f"script_content is longer than {self._script_max_bytes} bytes", status=413)
        if "\0" in content:
            raise _field_error("script_content", "has a NUL character")
        return Script.of(content)


def _language_title(given: str) -> LanguageTitle:
    match = LANGUAGE_TITLE.fullmatch(given)
    if match is None or len(given) > LANGUAGE_TITLE_MAX:
        raise InvalidRequest(
            "Language-Title must be <language>-<title>: a lower-case word, then up to 64 of A-Za-z0-9._-"
        )
    return LanguageTitle(match[1], match[2])


@lru_cache(REFERENCES_REMEMBERED)
def _reference(given: str) -> FunctionRef:
    written, at, selector = given.replace("%40", "@").partition("@")
    name = _language_title(written)
    if at and not SELECTOR.fullmatch(selector):
        raise InvalidRequest(
            "after @ stands the number of a version, or an alias: a lower-case letter, then up to 31 of a-z0-9-"
        )
    return FunctionRef(name, selector)


def _params_text(body: bytes, params: dict[str, Any]) -> msgspec.Raw:
    try:
        return _BODY.decode(body).params
    except msgspec.DecodeError:
        # The body has a lone surrogate, which msgspec refuses.
        return msgspec.Raw(dumps(params))


def _load(schema: Schema, document: dict[str, Any]) -> dict[str, Any]:
    try:
        return cast(dict[str, Any], schema.load(document))
    except ValidationError as error:
        errors = list(_flattened("", cast(Any, error).normalized_messages()))
        message = "; ".join(f"{problem['pointer'] or '/'}: {problem['message']}" for problem in errors)
        raise InvalidRequest(message, details={"errors": errors}) from error


def _flattened(pointer: str, messages: Any) -> list[dict[str, str]]:
    """Turn the tree of messages into a list of JSON pointers with a message each."""
    if isinstance(messages, dict):
        return [
            problem
            for key, below in messages.items()
            for problem in _flattened(f"{pointer}/{_step(str(key))}", below)
        ]
    return [{"pointer": pointer, "message": str(message)} for message in messages]


def _step(key: str) -> str:
    """Return a key as a part of a JSON pointer. Half of a surrogate pair, which is no text, becomes `?`."""
    return key.encode(errors="replace").decode().replace("~", "~0").replace("/", "~1")


def _field_error(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(
        f"/{name}: {message}", details={"errors": [{"pointer": f"/{name}", "message": message}]}
    )


def _if_match(environ: Environ) -> frozenset[str] | None:
    header = environ.get("HTTP_IF_MATCH")
    if header is None:
        return None
    return frozenset(tag.strip().strip('"') for tag in header.split(","))


def _directives(header: str) -> CacheDirectives:
    """Parse `no-cache` and `max-age=N`. Unknown directives are ignored."""
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


def _idempotency_key(environ: Environ) -> str | None:
    """Return the key without its quotes: quoted and bare, it is the same key."""
    given = environ.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        return None
    key = IDEMPOTENCY_KEY.fullmatch(given)
    if key is None:
        raise InvalidRequest(
            "Idempotency-Key must be 1 to 64 of A-Za-z0-9._-, which may stand in double quotes"
        )
    return key["quoted"] or key["bare"]
