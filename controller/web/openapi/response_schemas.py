"""What clients are answered, field by field, as the contract has it. Read by the OpenAPI document alone."""

from marshmallow import INCLUDE, RAISE, Schema, fields, validate


class Answer(Schema):
    """An answer has the fields of its schema and no others."""

    class Meta:
        unknown = RAISE


class InitializeAnswer(Answer):
    """A session that is ready."""

    request_id = fields.String(required=True)
    status = fields.String(required=True, validate=validate.Equal("initialized"))
    expires_at = fields.DateTime(required=True)
    compile_status = fields.String(metadata={"description": "Compiled languages only."})
    artifact_cached = fields.Boolean(
        metadata={"description": "Compiled languages only: nothing was compiled anew."}
    )


class ExecuteAnswer(Answer):
    """What the script gave."""

    request_id = fields.String(required=True)
    language_title = fields.String(required=True)
    execution_time = fields.Float(
        required=True, metadata={"description": "Milliseconds of the original run."}
    )
    cached = fields.Boolean(required=True)
    result = fields.Raw(required=True, allow_none=True)
    stdout = fields.String(metadata={"description": "Where the script printed something."})
    stderr = fields.String(metadata={"description": "Where the script printed something."})


class SessionAnswer(Answer):
    """A session and how it fares."""

    request_id = fields.String(required=True)
    language_title = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(["active", "expired", "closed"]))
    created_at = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True)
    execution_count = fields.Integer(required=True, validate=validate.Range(min=0))
    last_executed_at = fields.DateTime(required=True, allow_none=True)
    compile_status = fields.String(required=True, allow_none=True)


class FunctionSummary(Answer):
    """A registered function in the list."""

    language = fields.String(required=True)
    title = fields.String(required=True)
    language_title = fields.String(required=True)
    description = fields.String(required=True)
    type = fields.String(required=True, validate=validate.OneOf(["predefined", "dynamic"]))
    user_id = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class FunctionPage(Answer):
    """One page of the functions a user sees."""

    total = fields.Integer(required=True, validate=validate.Range(min=0))
    page = fields.Integer(required=True)
    per_page = fields.Integer(required=True)
    functions = fields.List(fields.Nested(FunctionSummary), required=True)


class FunctionSchemas(Answer):
    """JSON Schemas (draft 2020-12) of a function."""

    params = fields.Dict(metadata={"description": "Params that break it are refused."})
    result = fields.Dict()


class FunctionExample(Answer):
    """Params, and what they give."""

    params = fields.Dict(required=True)
    result = fields.Raw(required=True, allow_none=True)


class FunctionDetail(FunctionSummary):
    """All there is to know of a function."""

    version = fields.Integer(required=True, validate=validate.Range(min=1))
    tags = fields.List(fields.String(), required=True)
    schema = fields.Nested(FunctionSchemas, required=True)
    examples = fields.List(fields.Nested(FunctionExample), required=True)
    compile_options = fields.Dict(required=True)
    script_content = fields.String(metadata={"description": "Dynamic functions only, which are one's own."})


class Runtimes(Schema):
    """State of each language's runtime; languages may be added."""

    class Meta:
        unknown = INCLUDE

    nodejs, python, rust = (
        fields.String(required=True, validate=validate.OneOf(["ok", "error", "absent"])) for _ in range(3)
    )


class Components(Answer):
    """State of each part."""

    controller, redis, postgres = (
        fields.String(required=True, validate=validate.OneOf(["ok", "error"])) for _ in range(3)
    )
    runtimes = fields.Nested(Runtimes, required=True)


class HealthAnswer(Answer):
    """Whether the service can serve."""

    status = fields.String(required=True, validate=validate.OneOf(["ok", "degraded", "error"]))
    version = fields.String(required=True)
    components = fields.Nested(Components, required=True)


class ErrorBody(Answer):
    """What went wrong."""

    code = fields.String(required=True)
    message = fields.String(required=True)
    details = fields.Dict(required=True)


class ErrorAnswer(Answer):
    """The one shape of an error; `request_id` is there whenever a session is known."""

    request_id = fields.String()
    error = fields.Nested(ErrorBody, required=True)
