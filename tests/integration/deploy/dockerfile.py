"""Reads Dockerfiles: stages of instructions, and which files of the context they may copy."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction with all its lines, and the line it begins in."""

    name: str
    text: str
    line: int


@dataclass
class Stage:
    """One FROM and what follows. `base` is another stage or an image."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)


def read(path: Path) -> dict[str, Stage]:
    """The stages of a Dockerfile by their names, in order. Build arguments have their defaults."""
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    stage = None
    for instruction in instructions(path.read_text()):
        if instruction.name == "FROM":
            base, _, name = instruction.text.partition(" AS ")
            stage = Stage(name or str(len(stages)), substituted(base, arguments))
            stages[stage.name] = stage
        elif stage is None:
            assert instruction.name == "ARG", f"line {instruction.line}: {instruction.name} before FROM"
            name, _, default = instruction.text.partition("=")
            arguments[name] = default
        else:
            stage.instructions.append(instruction)
    return stages


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile without comments, those of several lines put together."""
    begun, parts = 0, []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        begun = begun or number
        parts.append(line.strip().removesuffix("\\").rstrip())
        if not line.rstrip().endswith("\\"):
            name, _, rest = " ".join(parts).partition(" ")
            yield Instruction(name, rest.strip(), begun)
            begun, parts = 0, []


def substituted(text: str, variables: dict[str, str]) -> str:
    """The text with `$NAME` and `${NAME}` replaced; an unknown name is an error."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: variables[found[1] or found[2]], text)


class Context:
    """The files that Docker would be given: those of a folder that a `.dockerignore` does not leave out."""

    def __init__(self, root: Path, ignore: Path) -> None:
        self.root = root
        lines = [line.strip() for line in ignore.read_text().splitlines()]
        self._rules = [_rule(line) for line in lines if line and not line.startswith("#")]

    def files(self, source: str) -> list[Path]:
        """What a source of COPY stands for: files relative to the root; none when there is nothing to copy."""
        found: set[Path] = set()
        for path in self.root.glob(source.rstrip("/")):
            found |= set(path.rglob("*")) if path.is_dir() else {path}
        relative = (path.relative_to(self.root) for path in found if path.is_file())
        return sorted(path for path in relative if not self._ignored(path))

    def _ignored(self, path: Path) -> bool:
        """The last rule that matches the path, or a folder it lies in, decides."""
        names = [str(place) for place in (path, *path.parents)]
        ignored = False
        for kept, pattern in self._rules:
            if any(pattern.fullmatch(name) for name in names):
                ignored = not kept
        return ignored


def _rule(line: str) -> tuple[bool, re.Pattern[str]]:
    """Whether it lets files in again, and what it matches: `*` within one name, `**/` any folders or none."""
    kept, pattern = line.startswith("!"), line.removeprefix("!").strip("/")
    anywhere = pattern.removeprefix("**/")
    names = [translate(part).removesuffix(r"\Z").removesuffix(r"\z") for part in anywhere.split("/")]
    plain = "/".join(name.replace(".*", "[^/]*") for name in names)
    return kept, re.compile(plain if anywhere == pattern else f"(?:.*/)?{plain}")
