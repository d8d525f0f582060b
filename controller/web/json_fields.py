"""Fields of JSON bodies: they take what JSON Schema takes for their type, which marshmallow's own do not."""

from typing import Any

from marshmallow import ValidationError, fields


class WholeNumber(fields.Integer):
    """An integer. 1.0 is one, as in JSON Schema; the text "1" is none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strict=True, **options)

    def _validated(self, value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return super()._validated(value)


class Number(fields.Float):
    """A number. The text "1" is none."""

    def _validated(self, value: Any) -> float:
        if not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Switch(fields.Boolean):
    """True or false. 1 and 0 are neither."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


def text(value: str) -> None:
    """Refuse what PostgreSQL cannot keep as text. Raises ValidationError."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValidationError("must have no NUL and no lone surrogate")
