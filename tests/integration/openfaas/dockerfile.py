"""Reads Dockerfiles: build arguments, and stages of instructions."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_VARIABLE = re.compile(r"\$\{(\w+)(?::-(\w*))?\}|\$(\w+)")


@dataclass(frozen=True)
class Instruction:
    """One instruction on one line, such as `COPY` and `requirements.txt .`."""

    word: str
    text: str


@dataclass
class Stage:
    """One FROM and its steps. `base` is another stage or an image, with unresolved arguments."""

    base: str
    steps: list[Instruction] = field(default_factory=list)


@dataclass
class Dockerfile:
    """The defaults of the arguments before the first stage, and the stages by name."""

    defaults: dict[str, str] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)


def parsed(text: str) -> Dockerfile:
    """Parse a Dockerfile. Every stage must have a name."""
    dockerfile = Dockerfile()
    stage = None
    for step in instructions(text):
        if step.word == "FROM":
            base, _, name = step.text.partition(" AS ")
            stage = dockerfile.stages[name] = Stage(base)
        elif stage is not None:
            stage.steps.append(step)
        else:
            name, _, default = step.text.partition("=")
            dockerfile.defaults[name] = default
    return dockerfile


def instructions(text: str) -> Iterator[Instruction]:
    """Return the instructions without comments, each on one line."""
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", "").splitlines():
        word, _, rest = line.partition(" ")
        yield Instruction(word, " ".join(rest.split()))


def filled(text: str, variables: Mapping[str, str]) -> str:
    """Return a text with `$NAME`, `${NAME}` and `${NAME:-default}` replaced; an unknown name is empty."""
    return _VARIABLE.sub(lambda found: variables.get(found[1] or found[3]) or found[2] or "", text)


def packages(command: str) -> list[str]:
    """Return the packages that a command installs with apt-get, without those named by build arguments."""
    named = re.findall(r"apt-get install ([^&;]+)", command)
    return [word for words in named for word in words.split() if not word.startswith(("-", "$"))]
