"""Checks the bodies of `prepare` and `run`, and turns them into the arguments of the executor."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, cast

import msgspec
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from msgspec import UNSET, Meta, Raw, Struct

from runtime.errors import InvalidRequest
from runtime.executor import RunArguments
from runtime.frames import FrameError
from runtime.json_codec import decode, decode_run
from runtime.scripts.compiled import ScriptReference

_HOUR_MS = 3_600_000
_TENANT_MAX = 256
_ISOLATION = ("session", "execution")
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class _Base64(fields.Field[bytes]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bytes:
        try:
            return base64.b64decode(value, validate=True)
        except (TypeError, ValueError, binascii.Error) as error:
            raise ValidationError("Not base64.") from error


class _Reference(Schema):
    class Meta:
        unknown = EXCLUDE

    tenant = fields.String(required=True, validate=validate.Length(min=1, max=_TENANT_MAX))
    script_hash = fields.String(required=True, validate=validate.Regexp(_HASH))
    script_content = fields.String(load_default=None, allow_none=True)
    artifact = _Base64(load_default=None, allow_none=True)
    compile_options = fields.Dict(load_default=dict)
    environment = fields.String(load_default="", allow_none=True, validate=validate.Regexp(_HASH))


class _Prepare(_Reference):
    script_content = fields.String(required=True)


class _Run(_Reference):
    request_id = fields.String(required=True, validate=validate.Regexp(_REQUEST_ID))
    params = fields.Dict(required=True)
    context = fields.Dict(load_default=dict)
    timeout_ms = fields.Integer(required=True, strict=True, validate=validate.Range(min=1, max=_HOUR_MS))
    isolation = fields.String(load_default="session", validate=validate.OneOf(_ISOLATION))


class RunAnswer(Struct):
    """The answer to a run: its result and output, and the members of `RunUsage`."""

    result: Any
    stdout: str
    stderr: str
    execution_time: float
    cpu_time: float
    memory_usage_bytes: int
    bytes_in: int
    bytes_out: int
    fuel: int | None
    cold: bool


class _PlainRun(Struct):
    """What most bodies of runs are, checked as `_Run` checks them."""

    params: Raw
    request_id: Annotated[str, Meta(pattern=rf"\A{_REQUEST_ID.pattern}")]
    tenant: Annotated[str, Meta(min_length=1, max_length=_TENANT_MAX)]
    script_hash: Annotated[str, Meta(pattern=rf"\A{_HASH.pattern}")]
    context: dict[str, Any]
    timeout_ms: Annotated[int, Meta(ge=1, le=_HOUR_MS)]
    isolation: Literal["session", "execution"]
    compile_options: dict[str, Any]
    environment: Annotated[str, Meta(pattern=rf"\A{_HASH.pattern}")] | None = None
    script_content: Any = UNSET
    artifact: Any = UNSET


_decode_plain = msgspec.json.Decoder(_PlainRun).decode
_PREPARE = _Prepare()
_RUN = _Run()


def prepare_request(language: str, body: dict[str, Any]) -> ScriptReference:
    """Return the script to prepare. `language` is the one in the path.

    Raises:
        InvalidRequest: The body does not fit the schema.
    """
    return _reference(language, _load(_PREPARE, body))


def run_request(
    language: str, body: bytes, named: Callable[[str], object]
) -> tuple[ScriptReference, RunArguments]:
    """Return the script to run, in the language of the path, and the arguments of `Executor.run`.

    Params are an object, or a `Raw` that is known to be one.

    Args:
        language: The language in the path.
        body: The body of the call.
        named: Called with the `request_id`, if there is a text, before anything else is checked.

    Raises:
        InvalidRequest: The body is no JSON object, or does not fit the schema.
    """
    plain = _plain(body)
    if plain is not None:
        named(plain.request_id)
        reference = ScriptReference(
            language,
            plain.tenant,
            plain.script_hash,
            plain.compile_options,
            environment=plain.environment or "",
        )
        return reference, RunArguments(
            plain.params, plain.context, plain.timeout_ms, plain.isolation == "execution"
        )
    document = json_object(body, decode_run)
    if isinstance(given := document.get("request_id"), str):
        named(given)
    values = _load_run(document)
    return _reference(language, values), RunArguments(
        values["params"], values["context"], values["timeout_ms"], values["isolation"] == "execution"
    )


def json_object(body: bytes, read: Callable[[bytes], dict[str, Any]] = decode) -> dict[str, Any]:
    """Return the object in a body.

    Args:
        body: JSON.
        read: `decode` or `decode_run`.

    Raises:
        InvalidRequest: The body is no JSON object.
    """
    try:
        return read(body)
    except FrameError as error:
        raise InvalidRequest(f"the body is no JSON object: {error}") from error


def _plain(body: bytes) -> _PlainRun | None:
    """Return a run that is certainly valid: it has all fields, and only the hash of the script.

    The schema takes a tenth of the time of a call. It checks only the bodies that are not certainly valid. The
    controller has checked the depth and the numbers of params.
    """
    try:
        plain = _decode_plain(body)
        if not body.isascii():
            body.decode()  # `Raw` is not checked for UTF-8
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    has_more = plain.script_content is not UNSET or plain.artifact is not UNSET
    return None if has_more or bytes(memoryview(plain.params)[:1]) != b"{" else plain


def _load(schema: Schema, body: dict[str, Any]) -> dict[str, Any]:
    try:
        values: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        raise InvalidRequest(
            "the body is not what this call takes", errors=cast(Any, error).normalized_messages()
        ) from None
    return values


def _load_run(body: dict[str, Any]) -> dict[str, Any]:
    params = body.get("params")
    if not isinstance(params, Raw):
        return _load(_RUN, body)
    return _load(_RUN, body | {"params": {}}) | {"params": params}


def _reference(language: str, values: dict[str, Any]) -> ScriptReference:
    return ScriptReference(
        language=language,
        tenant=values["tenant"],
        script_hash=values["script_hash"],
        compile_options=values["compile_options"],
        script_content=values.get("script_content"),
        artifact=values.get("artifact"),
        environment=values.get("environment") or "",
    )
