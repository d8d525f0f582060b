"""Declares variables as the fields of a frozen dataclass, reads them, and lists them.

    @dataclass(frozen=True, slots=True)
    class Settings:
        cache_ttl: int = variable("CACHE_TTL", whole(1), 3600, unit="s", doc="Lifetime of a cached result.")

`read(Settings, Environment())` creates the object, `variables(Settings)` lists its variables.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, cast

from configuration.environment import Environment
from configuration.errors import UnusableSetting
from configuration.parser import Parser, Refused

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
S = TypeVar("S", bound="DataclassInstance")

#: Key of a field's metadata: the Variable, or the dataclass of a group.
_DECLARED = "declared"
#: The values of the earlier fields, by name.
Chosen = Mapping[str, Any]


class Missing(Enum):
    """What a variable without a default means: it must be set, or its value is None."""

    REQUIRED = "required"
    UNSET = "unset"


@dataclass(frozen=True, slots=True)
class Computed:
    """A default that depends on the machine or on other variables.

    Attributes:
        text: Returns the text of the default from the values of the earlier fields.
        doc: The default in words.
        example: The text on a typical machine.
    """

    text: Callable[[Chosen], str]
    doc: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment.

    Attributes:
        name: Its name in the environment.
        parser: Converts its text to the value.
        default: The text that is used if the environment has none.
        unit: The unit of a number, such as `ms`; empty for other values.
        doc: What it sets, in Markdown.
        applies: Returns whether it is read, from the values of the earlier fields. If not, its value is None.
    """

    name: str
    parser: Parser[Any]
    default: str | Computed | Missing
    unit: str
    doc: str
    applies: Callable[[Chosen], bool] | None = None

    def read(self, environment: Environment, chosen: Chosen) -> Any:
        """Return the value.

        Raises:
            UnusableSetting: It is missing or not accepted; the message names it and says what is accepted.
        """
        if self.applies is not None and not self.applies(chosen):
            return None
        text = (
            environment.require(self.name) if self.default is Missing.REQUIRED else environment.get(self.name)
        )
        if text is None:
            if isinstance(self.default, Missing):
                return None
            text = self.default.text(chosen) if isinstance(self.default, Computed) else self.default
        try:
            return self.parser(text)
        except Refused as error:
            raise UnusableSetting(f"{self.name}: {error}") from None


def variable(name: str, parser: Parser[T], default: str | int | Computed, *, doc: str, unit: str = "") -> T:
    """Declare a field with a default."""
    text = default if isinstance(default, Computed) else str(default)
    return cast(T, _declared(Variable(name, parser, text, unit, doc)))


def required(name: str, parser: Parser[T], *, doc: str) -> T:
    """Declare a field that the environment must set."""
    return cast(T, _declared(Variable(name, parser, Missing.REQUIRED, "", doc)))


def optional(
    name: str, parser: Parser[T], *, doc: str, applies: Callable[[Chosen], bool] | None = None
) -> T | None:
    """Declare a field that is None unless the environment sets it."""
    return cast(T | None, _declared(Variable(name, parser, Missing.UNSET, "", doc, applies)))


def group(settings: type[S]) -> S:
    """Declare a field that contains the settings of one package."""
    return cast(S, _declared(settings))


def read(settings: type[S], environment: Environment) -> S:
    """Create the settings from the environment.

    Raises:
        UnusableSetting: A variable is missing or invalid; the message names the first one.
    """
    chosen: dict[str, Any] = {}
    for each in fields(settings):
        declared = each.metadata[_DECLARED]
        if isinstance(declared, Variable):
            chosen[each.name] = declared.read(environment, chosen)
        else:
            chosen[each.name] = read(declared, environment)
    return settings(**chosen)


def variables(settings: type["DataclassInstance"]) -> Iterator[Variable]:
    """Return the variables of the settings, including those of its groups."""
    for each in fields(settings):
        declared = each.metadata[_DECLARED]
        if isinstance(declared, Variable):
            yield declared
        else:
            yield from variables(declared)


def _declared(declared: object) -> Any:
    return field(metadata={_DECLARED: declared})
