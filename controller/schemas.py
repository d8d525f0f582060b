"""What clients may send, field by field, as the contract has it."""

from marshmallow import EXCLUDE, INCLUDE, RAISE, Schema, fields, validate


class CompileOptionsSchema(Schema):
    """`context.compile_options`; a target is the runtime's to accept or refuse."""

    class Meta:
        unknown = RAISE

    optimization_level = fields.String(validate=validate.OneOf(["debug", "release"]))
    features = fields.List(fields.String(validate=validate.Length(1, 64)), validate=validate.Length(max=64))
    target = fields.String(validate=validate.Length(1, 64))


class ContextSchema(Schema):
    """`context` of an initialize request."""

    class Meta:
        unknown = INCLUDE

    environment = fields.String()
    user_id = fields.String()
    timeout_ms = fields.Integer(strict=True, load_default=30_000, validate=validate.Range(min=1))
    retain_session = fields.Boolean(truthy={True}, falsy={False}, load_default=True)
    compile_options = fields.Nested(CompileOptionsSchema, load_default=dict)
    isolation = fields.String(load_default="session", validate=validate.OneOf(["session", "execution"]))


class InitializeSchema(Schema):
    """Body of an initialize request."""

    class Meta:
        unknown = RAISE

    context = fields.Nested(ContextSchema, load_default=lambda: ContextSchema().load({}))
    script_content = fields.String(load_default=None, validate=validate.Length(min=1))


class ExecuteSchema(Schema):
    """Body of an execute request; `params` is checked apart, since it has an error code of its own."""

    class Meta:
        unknown = RAISE

    params = fields.Raw(load_default=dict, allow_none=True)


class FunctionsSchema(Schema):
    """Query of the functions list."""

    class Meta:
        unknown = EXCLUDE

    language = fields.String(load_default=None, validate=validate.ContainsNoneOf("\0"))
    user_id = fields.String(load_default=None, validate=validate.ContainsNoneOf("\0"))
    type = fields.String(load_default=None, validate=validate.OneOf(["predefined", "dynamic"]))
    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    per_page = fields.Integer(load_default=20, validate=validate.Range(1, 100))


INITIALIZE, EXECUTE, FUNCTIONS = InitializeSchema(), ExecuteSchema(), FunctionsSchema()
