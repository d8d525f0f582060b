"""What an image's Dockerfile sets for the process that runs in it."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

#: `${NAME}` or `${NAME:-default}`.
_REFERENCE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@dataclass
class Image:
    """A stage, with what it has from the one it is built on.

    Args:
        variables: ENV. Values that refer to others, such as PATH, are left out: they speak of places in the image.
        command: CMD.
    """

    variables: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()


def image(dockerfile: str, arguments: Mapping[str, str]) -> Image:
    """The last stage, which is the one that is shipped. `arguments` are those of the build."""
    defaults: dict[str, str] = {}
    stages: dict[str, Image] = {}
    current = Image()
    for keyword, rest in _instructions(dockerfile):
        if keyword == "ARG" and not stages:
            defaults |= dict([_pair(rest)])
        elif keyword == "FROM":
            base, *name = _resolved(rest, {**defaults, **arguments}).split()
            known = stages.get(base, Image())
            current = Image(dict(known.variables), known.command)
            stages[name[-1] if name else base] = current
        elif keyword == "ENV":
            pairs = map(_pair, shlex.split(rest))
            current.variables |= {name: value for name, value in pairs if "$" not in value}
        elif keyword == "CMD" and rest.startswith("["):
            current.command = tuple(json.loads(rest))
    return current


def _instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Each one's keyword and the rest of it."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    for instruction in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        keyword, _, rest = instruction.strip().partition(" ")
        yield keyword.upper(), rest.strip()


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _resolved(text: str, values: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda found: values.get(found[1]) or found[2] or "", text)
