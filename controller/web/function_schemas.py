"""The schemas of requests that change functions and their aliases, as the contract defines them."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import INCLUDE, RAISE, Schema, ValidationError, fields, validate, validates_schema

from controller.web.json_fields import Number, Switch, WholeNumber, text
from controller.web.request_schemas import CompileOptionsSchema, PackagesSchema

#: Most examples of a function.
EXAMPLES_MAX = 50
#: Keys of `context` that control the service, not the script.
RESERVED = (
    "timeout_ms",
    "retain_session",
    "compile_options",
    "isolation",
    "packages",
    "lock",
    "refresh_packages",
)
VERSION_MAX = 999_999_999


def faults_of_context(context: Mapping[str, Any], reserved: Iterable[str]) -> dict[str, list[str]]:
    """Return a message for each key that controls the service and is not the script's."""
    return {key: ["is not part of the script's context"] for key in reserved if key in context}


class _Strict(Schema):
    class Meta:
        """Refuses unknown fields."""

        unknown = RAISE


class SchemasSchema(_Strict):
    """`schema` of a function: JSON Schemas, draft 2020-12."""

    params = fields.Dict()
    result = fields.Dict()


class ExampleSchema(_Strict):
    """An example of a function."""

    name = fields.String(validate=[validate.Length(1, 100)])
    params = fields.Dict()
    result = fields.Raw(allow_none=True)


class DefaultsSchema(_Strict):
    """What executions by name take where the request says nothing."""

    timeout_ms = WholeNumber(validate=validate.Range(min=1, max=2**31 - 1))
    isolation = fields.String(validate=validate.OneOf(["session", "execution"]))
    compile_options = fields.Nested(CompileOptionsSchema)
    context = fields.Dict()
    cache_ttl = WholeNumber(validate=validate.Range(min=0, max=VERSION_MAX))

    @validates_schema
    def refuse_controls(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse keys of the context that control the service."""
        faults = faults_of_context(data.get("context", {}), RESERVED)
        if faults:
            raise ValidationError({"context": faults})


class PutFunctionSchema(_Strict, PackagesSchema):
    """Body of a request that makes a version. Fields left out keep their value."""

    script_content = fields.String(validate=validate.Length(min=1))
    description = fields.String(validate=text)
    tags = fields.List(
        fields.String(validate=[validate.Length(1, 64), text]), validate=validate.Length(max=50)
    )
    schema = fields.Nested(SchemasSchema)
    enforce_result = Switch()
    examples = fields.List(fields.Nested(ExampleSchema), validate=validate.Length(max=EXAMPLES_MAX))
    defaults = fields.Nested(DefaultsSchema)
    verify = Switch(load_default=False)


class CallContextSchema(Schema):
    """`context` of an execution by name."""

    class Meta:
        """Keeps unknown fields: the script sees them."""

        unknown = INCLUDE

    environment = fields.String()
    user_id = fields.String()
    timeout_ms = WholeNumber(validate=validate.Range(min=1))
    isolation = fields.String(validate=validate.OneOf(["session", "execution"]))

    @validates_schema
    def refuse_controls(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse what only a session may be told."""
        if faults := faults_of_context(data, set(RESERVED) - {"timeout_ms", "isolation"}):
            raise ValidationError(faults)


class ContextOfCallSchema(_Strict):
    """The part of an execution by name that one by id does not have."""

    context = fields.Nested(CallContextSchema)


class ExecuteByNameSchema(ContextOfCallSchema):
    """Body of an execution by name."""

    params = fields.Dict(load_default=dict)


class CanarySideSchema(_Strict):
    """The version that gets a share of an alias's calls."""

    version = WholeNumber(required=True, validate=validate.Range(1, VERSION_MAX))
    weight = Number(required=True, allow_nan=False, validate=validate.Range(0, 1))


class AliasSchema(_Strict):
    """Body of a request that sets an alias."""

    version = WholeNumber(required=True, validate=validate.Range(1, VERSION_MAX))
    canary = fields.Nested(CanarySideSchema)


PUT_FUNCTION, ALIAS, CONTEXT_OF_CALL = PutFunctionSchema(), AliasSchema(), ContextOfCallSchema()
