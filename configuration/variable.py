"""Variables declared as the fields of a frozen dataclass, and the loops over them.

    @dataclass(frozen=True, slots=True)
    class Settings:
        cache_ttl: int = variable("CACHE_TTL", whole(1), 3600, unit="s", doc="Lifetime of a cached result.")

`read(Settings, Environment())` makes the object, `variables(Settings)` lists what it is made from.
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
#: The fields before this one, with their values.
Chosen = Mapping[str, Any]


class Missing(Enum):
    """What holds where a variable has neither a text nor a default."""

    REQUIRED = "required"
    UNSET = "unset"


@dataclass(frozen=True, slots=True)
class Computed:
    """A default that depends on the machine or on other variables.

    Attributes:
        text: makes its text from the fields before.
        doc: the default in words.
        example: the text of a typical machine.
    """

    text: Callable[[Chosen], str]
    doc: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment.

    Attributes:
        name: its name in the environment.
        parser: makes the value from its text.
        default: the text that holds without one.
        unit: what a number counts, such as `ms`; empty for any other value.
        doc: what it is, in Markdown.
        applies: whether it is read, by the fields before; if not, its value is None.
    """

    name: str
    parser: Parser[Any]
    default: str | Computed | Missing
    unit: str
    doc: str
    applies: Callable[[Chosen], bool] | None = None

    def read(self, environment: Environment, chosen: Chosen) -> Any:
        """The value. Raises UnusableSetting, which names the variable and what it accepts."""
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
    """Declare a field that has a default."""
    text = default if isinstance(default, Computed) else str(default)
    return cast(T, _declared(Variable(name, parser, text, unit, doc)))


def required(name: str, parser: Parser[T], *, doc: str) -> T:
    """Declare a field that the environment must give."""
    return cast(T, _declared(Variable(name, parser, Missing.REQUIRED, "", doc)))


def optional(
    name: str, parser: Parser[T], *, doc: str, applies: Callable[[Chosen], bool] | None = None
) -> T | None:
    """Declare a field that is None unless the environment gives it."""
    return cast(T | None, _declared(Variable(name, parser, Missing.UNSET, "", doc, applies)))


def group(settings: type[S]) -> S:
    """Declare a field that holds the settings of a room."""
    return cast(S, _declared(settings))


def read(settings: type[S], environment: Environment) -> S:
    """Make the settings from the environment. Raises UnusableSetting for the first bad variable."""
    chosen: dict[str, Any] = {}
    for each in fields(settings):
        declared = each.metadata[_DECLARED]
        if isinstance(declared, Variable):
            chosen[each.name] = declared.read(environment, chosen)
        else:
            chosen[each.name] = read(declared, environment)
    return settings(**chosen)


def variables(settings: type["DataclassInstance"]) -> Iterator[Variable]:
    """The variables of the settings, those of its groups included."""
    for each in fields(settings):
        declared = each.metadata[_DECLARED]
        if isinstance(declared, Variable):
            yield declared
        else:
            yield from variables(declared)


def _declared(declared: object) -> Any:
    return field(metadata={_DECLARED: declared})
