"""The schemas of requests, as the contract defines them."""

from marshmallow import EXCLUDE, INCLUDE, RAISE, Schema, fields, validate

from controller.declarations.declared import PACKAGES_MAX
from controller.declarations.names import LENGTH_MAX as PACKAGE_LENGTH_MAX
from controller.web.json_fields import Switch, WholeNumber, text

NO_NUL = r"^[^\x00]*$"
#: Most characters of a lock.
LOCK_MAX = 1 << 20
SCOPES = r"^[!-~]+(?: [!-~]+)*$"


class CompileOptionsSchema(Schema):
    """`context.compile_options`. The runtime accepts or refuses a target."""

    class Meta:
        """Refuses unknown fields."""

        unknown = RAISE

    optimization_level = fields.String(validate=validate.OneOf(["debug", "release"]))
    features = fields.List(
        fields.String(validate=[validate.Length(1, 64), text]), validate=validate.Length(max=64)
    )
    target = fields.String(validate=[validate.Length(1, 64), text])


class PackagesSchema(Schema):
    """The fields that tell the packages of a script."""

    packages = fields.List(
        fields.String(validate=validate.Length(1, PACKAGE_LENGTH_MAX)),
        load_default=None,
        validate=validate.Length(max=PACKAGES_MAX),
        metadata={
            "description": "Names with versions, as the language has them.",
            "examples": [["pandas>=2"]],
        },
    )
    lock = fields.String(
        load_default="",
        validate=[validate.Length(max=LOCK_MAX), text],
        metadata={"description": "Requirements with hashes, `pylock.toml` or `package-lock.json`."},
    )
    refresh_packages = Switch(
        load_default=False, metadata={"description": "Whether packages that have a lock are resolved anew."}
    )


class ContextSchema(PackagesSchema):
    """`context` of an initialize request."""

    class Meta:
        """Keeps unknown fields: the script sees them."""

        unknown = INCLUDE

    environment = fields.String()
    user_id = fields.String()
    timeout_ms = WholeNumber(load_default=30_000, validate=validate.Range(min=1))
    retain_session = Switch(load_default=True)
    compile_options = fields.Nested(CompileOptionsSchema, load_default=dict)
    isolation = fields.String(load_default="session", validate=validate.OneOf(["session", "execution"]))


class InitializeSchema(Schema):
    """Body of an initialize request."""

    class Meta:
        """Refuses unknown fields."""

        unknown = RAISE

    context = fields.Nested(ContextSchema, load_default=lambda: ContextSchema().load({}))
    script_content = fields.String(load_default=None, validate=validate.Length(min=1))


class ExecuteSchema(Schema):
    """Body of an execute request. The parser checks that `params` is an object: that error has its own code."""

    class Meta:
        """Refuses unknown fields."""

        unknown = RAISE

    params = fields.Dict(load_default=dict)


class FunctionsSchema(Schema):
    """Query of the functions list."""

    class Meta:
        """Ignores unknown parameters."""

        unknown = EXCLUDE

    language = fields.String(validate=validate.ContainsNoneOf("\0"), metadata={"pattern": NO_NUL})
    user_id = fields.String(validate=validate.ContainsNoneOf("\0"), metadata={"pattern": NO_NUL})
    type = fields.String(validate=validate.OneOf(["predefined", "dynamic"]))
    query = fields.String(
        validate=[validate.Length(1, 200), validate.ContainsNoneOf("\0")], metadata={"pattern": NO_NUL}
    )
    tag = fields.String(
        validate=[validate.Length(1, 64), validate.ContainsNoneOf("\0")], metadata={"pattern": NO_NUL}
    )
    cursor = fields.String()
    page = fields.Integer(validate=validate.Range(1, 1_000_000), metadata={"default": 1})
    per_page = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class VersionsSchema(Schema):
    """Query of the versions list."""

    class Meta:
        """Ignores unknown parameters."""

        unknown = EXCLUDE

    cursor = fields.String()
    per_page = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class KeySchema(Schema):
    """Body of a request for an API key."""

    class Meta:
        """Refuses unknown fields."""

        unknown = RAISE

    name = fields.String(
        required=True,
        validate=[validate.Length(1, 100), validate.Predicate("isprintable", error="must be printable")],
        metadata={"examples": ["nightly report"]},
    )
    scope = fields.String(
        required=True,
        validate=[
            validate.Length(1, 1000),
            validate.Regexp(SCOPES, error="must be words with a space between"),
        ],
        metadata={
            "description": "The rights of the key, separated by spaces. Its maker has to hold each.",
            "examples": ["execute:python read:functions"],
        },
    )
    functions = fields.List(
        fields.String(),
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 100),
        metadata={
            "description": "References to the only functions that the key may execute, by name.",
            "examples": [["python-report", "python-mail@prod"]],
        },
    )
    expires_at = fields.AwareDateTime(
        format="iso",
        load_default=None,
        allow_none=True,
        metadata={"description": "At most `KEY_TTL_MAX` from now, which is the default."},
    )


INITIALIZE, EXECUTE, FUNCTIONS = InitializeSchema(), ExecuteSchema(), FunctionsSchema()
VERSIONS = VersionsSchema()
KEY = KeySchema()
