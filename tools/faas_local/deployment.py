"""What faas-cli asks for when it deploys a function, and how it is told that this cannot be done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate


class Refused(Exception):
    """The message is for whoever sits at faas-cli, who sees it as it is.

    Args:
        status: of the HTTP answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


NAMESPACE = "openfaas-fn"
NAME = r"[a-zA-Z0-9]([-_a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"
#: Replicas of a function whose labels do not say.
MINIMUM, MAXIMUM = 1, 5


@dataclass(frozen=True)
class Deployment:
    """A function as it shall run. What is set for a container's sake alone is kept to be shown."""

    service: str
    image: str
    process: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] | None = None
    requests: Mapping[str, str] | None = None
    constraints: tuple[str, ...] = ()
    read_only_root_filesystem: bool = False

    @classmethod
    def from_json(cls, document: object) -> "Deployment":
        """Raises Refused when it is not one."""
        try:
            deployment: Deployment = _SCHEMA.load(document if isinstance(document, dict) else {})
        except ValidationError as error:
            raise Refused(400, f"no deployment: {error.messages}") from error
        return deployment

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = _SCHEMA.dump(self)
        return document

    @property
    def minimum(self) -> int:
        """Replicas it starts with, by its label."""
        return self._replicas("com.openfaas.scale.min", MINIMUM)

    @property
    def maximum(self) -> int:
        """Replicas it may have, by its label."""
        return self._replicas("com.openfaas.scale.max", MAXIMUM)

    def _replicas(self, label: str, default: int) -> int:
        value = self.labels.get(label, str(default))
        if not value.isdecimal():
            raise Refused(400, f"the label {label} is no number: {value}")
        return int(value)


def require_namespace(name: str | None) -> None:
    """Raises Refused unless it is the one there is, or left open."""
    if name not in {None, "", NAMESPACE}:
        raise Refused(404, f"there is one namespace here, {NAMESPACE}; not {name}")


class _DeploymentSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    service = fields.String(required=True, validate=validate.Regexp(rf"{NAME}\Z"))
    image = fields.String(required=True)
    process = fields.String(data_key="envProcess", allow_none=True)
    variables = fields.Dict(fields.String(), fields.String(), data_key="envVars", allow_none=True)
    secrets = fields.List(fields.String(), allow_none=True)
    labels = fields.Dict(fields.String(), fields.String(), allow_none=True)
    annotations = fields.Dict(fields.String(), fields.String(), allow_none=True)
    limits = fields.Dict(fields.String(), fields.String(), allow_none=True)
    requests = fields.Dict(fields.String(), fields.String(), allow_none=True)
    constraints = fields.List(fields.String(), allow_none=True)
    read_only_root_filesystem = fields.Boolean(data_key="readOnlyRootFilesystem")

    @post_load
    def _make(self, values: dict[str, Any], **_: object) -> Deployment:
        given = {name: value for name, value in values.items() if value is not None}
        lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        return Deployment(**given | lists)


_SCHEMA = _DeploymentSchema()
