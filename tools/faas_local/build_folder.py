"""A build folder that faas-cli has made: what its Dockerfile says, and what is installed from it."""

import hashlib
import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tools.faas_local.deployment import Refused

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


#: What a template must have for its functions to run here: the Dockerfile's own way to install them.
INSTALLER = "install.sh"
_UNWANTED = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.pyc")


class BuildFolder:
    """What Docker would be given for one function.

    Args:
        root: the folder of build folders; stack files lie beside it.
        service: the function's name.

    Raises:
        Refused: there is none, or it is not of a template that can be installed here.
    """

    def __init__(self, root: Path, service: str) -> None:
        self.path = root / service
        self._stacks = root.parent
        self._service = service
        if not self.path.is_dir():
            stack = next(iter(self._functions()), "stack.yml")
            command = f"faas-cli build --shrinkwrap -f {stack}"
            raise Refused(400, f"{self.path} is missing; make it: (cd {root.parent} && {command})")
        if not (self.path / INSTALLER).is_file():
            raise Refused(400, f"{self.path} has no {INSTALLER}: its template cannot be installed here")

    def image(self) -> Image:
        """What the image would set for the function's process."""
        return image(self._text("Dockerfile"), self.arguments())

    def arguments(self) -> dict[str, str]:
        """The build's arguments. A deployment does not carry them, so the stack files are asked.

        Raises:
            Refused: they do not agree.
        """
        found = [function.get("build_args") or {} for function in self._functions().values()]
        if any(arguments != found[0] for arguments in found):
            raise Refused(400, f"stack files in {self._stacks} differ in build_args of {self._service}")
        return {name: str(value) for name, value in found[0].items()} if found else {}

    def modules(self) -> list[Path]:
        """The handler's own modules, relative to the folder: what is served from there and not installed."""
        return sorted(path.relative_to(self.path) for path in self.path.glob("function/*.py"))

    def digest(self, *, modules: bool) -> str:
        """Of all that is in the folder and what it is installed with; with or without the handler's own modules."""
        left_out = set() if modules else set(self.modules())
        digest = hashlib.sha256(json.dumps(self.arguments(), sort_keys=True).encode())
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path)
            if path.is_file() and name not in left_out and "__pycache__" not in name.parts:
                digest.update(f"\0{name}\0".encode() + path.read_bytes())
        return digest.hexdigest()[:16]

    def copy(self, place: Path) -> None:
        """Installing changes the folder, so it is done to a copy, which any account can read: faas-cli's cannot."""
        shutil.copytree(self.path, place, ignore=_UNWANTED)
        for path in (place, *place.rglob("*")):
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))

    def _text(self, name: str) -> str:
        path = self.path / name
        return path.read_text() if path.is_file() else ""

    def _functions(self) -> dict[str, dict[str, dict[str, str]]]:
        """The function as the stack files tell of it, by their names."""
        found = {}
        for path in sorted(self._stacks.glob("*.y*ml")):
            functions = _parsed(path).get("functions")
            function = functions.get(self._service) if isinstance(functions, dict) else None
            if isinstance(function, dict):
                found[path.name] = function
        return found


def _parsed(path: Path) -> dict[str, object]:
    """A file that is no YAML is no stack file either."""
    try:
        document = yaml.safe_load(path.read_text())
    except yaml.YAMLError:
        return {}
    return document if isinstance(document, dict) else {}
