"""Checks the bodies of `prepare` and `run`, and turns them into the arguments of the executor."""

import base64
import binascii
import re
from typing import Any, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from msgspec import Raw

from runtime.errors import InvalidRequest
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


_PREPARE = _Prepare()
_RUN = _Run()


def prepare_request(language: str, body: dict[str, Any]) -> ScriptReference:
    """Return the script to prepare. `language` is the one in the path.

    Raises:
        InvalidRequest: The body does not fit the schema.
    """
    return _reference(language, _load(_PREPARE, body))


def run_request(language: str, body: dict[str, Any]) -> tuple[ScriptReference, dict[str, Any]]:
    """Return the script to run, in the language of the path, and the keyword arguments of `Executor.run`.

    Params are an object, or a `Raw` that is known to be one.

    Raises:
        InvalidRequest: The body does not fit the schema.
    """
    values = body if _is_plainly_valid(body) else _load_run(body)
    return _reference(language, values), {
        "params": values["params"],
        "context": values["context"],
        "timeout_ms": values["timeout_ms"],
        "isolated": values["isolation"] == "execution",
    }


def _is_plainly_valid(body: dict[str, Any]) -> bool:
    """Return whether the body of a run is certainly valid: it has all fields, and only the hash of the script.

    The schema takes a tenth of the time of a call. It checks only the bodies that are not certainly valid.
    """
    get = body.get
    request_id, tenant, script_hash, timeout_ms = (
        get("request_id"),
        get("tenant"),
        get("script_hash"),
        get("timeout_ms"),
    )
    return (
        type(get("context")) is type(get("compile_options")) is dict
        and type(get("params")) in (dict, Raw)
        and type(tenant) is type(script_hash) is type(request_id) is str
        and 0 < len(tenant) <= _TENANT_MAX
        and _HASH.match(script_hash) is not None
        and _REQUEST_ID.match(request_id) is not None
        and type(timeout_ms) is int
        and 0 < timeout_ms <= _HOUR_MS
        and get("isolation") in _ISOLATION
        and not ("script_content" in body or "artifact" in body)
        and ("environment" not in body or _is_hash(body["environment"]))
    )


def _is_hash(value: object) -> bool:
    return type(value) is str and _HASH.match(value) is not None


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
