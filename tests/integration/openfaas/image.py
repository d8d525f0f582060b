"""An image without Docker: a Dockerfile's stages, made one after another in plain folders, as far as that goes.

A link, `root`, names the stage at work, and `/opt` and `/home` of the image lie below it: what programs note down of
their place, such as a virtual environment's scripts, then holds for the stages that are copied from it.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: Instructions that only describe the image.
DESCRIPTIVE = {"LABEL", "EXPOSE", "HEALTHCHECK", "CMD", "USER"}
#: What takes root, and a system of its own to change.
FOR_ROOT = re.compile(r"apt-get|useradd")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-(\w*))?\}|\$(\w+)")
_PATH = re.compile(r"(?<![\w./])/(?=(opt|home)/)")


@dataclass
class Stage:
    """What it starts from, its instructions, and the variables they have set so far."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)


class Image:
    """The stages of the Dockerfile in a build folder, made below `folder`. `left_out` lists the steps not done.

    Args:
        arguments: of the build, in place of the Dockerfile's defaults.
        environment: what the steps' programs find besides what the Dockerfile says.
    """

    def __init__(
        self, context: Path, folder: Path, arguments: Mapping[str, str], environment: Mapping[str, str]
    ) -> None:
        self.root = folder / "root"
        self.left_out: list[str] = []
        self._context = context
        self._folder = folder
        self._arguments = arguments
        self._environment = environment
        self._defaults, self._stages = parsed((context / "Dockerfile").read_text())

    def make(self, name: str) -> Path:
        """Returns the stage's folder, made after those that it needs. Raises CalledProcessError: a step failed."""
        place = self._folder / name
        if place.exists() or name not in self._stages:
            return place
        stage = self._stages[name]
        base = filled(stage.base, {**self._defaults, **self._arguments})
        for needed in (base, *re.findall(r"--from=(\S+)", "\n".join(text for _, text in stage.steps))):
            self.make(needed)
        if base in self._stages:
            shutil.copytree(self._folder / base, place, symlinks=True)
            stage.variables.update(self._stages[base].variables)
        else:
            place.mkdir()
            stage.variables["PATH"] = "$PATH"  # our own, whose paths stay as they are
        self._enter(name)
        for word, text in stage.steps:
            self._do(word, text, stage.variables)
        return place

    def run(self, name: str, command: str) -> str:
        """Runs a shell command in a stage that is made, and returns what it printed. Raises CalledProcessError."""
        self._enter(name)
        return self._run(command, self._stages[name].variables)

    def _enter(self, name: str) -> None:
        self.root.unlink(missing_ok=True)
        self.root.symlink_to(self._folder / name)

    def _do(self, word: str, text: str, variables: dict[str, str]) -> None:
        if word == "ARG":
            name, _, default = text.partition("=")
            variables[name] = self._arguments.get(name, default.strip('"') or self._defaults.get(name, ""))
        elif word == "ENV":
            for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|(\S+))', text):
                variables[name] = filled(quoted or plain, variables)
        elif word == "WORKDIR":
            variables[word] = text
            Path(self._here(f"{text}/")).mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            self._copy(text, variables)
        elif word == "RUN" and not FOR_ROOT.search(text):
            self._run(re.sub(r"--mount=\S+ ", "", text), variables)
        elif word == "RUN":
            self.left_out.append(f"RUN {text}")
        else:
            assert word in DESCRIPTIVE, f"what is {word}?"

    def _run(self, command: str, variables: Mapping[str, str]) -> str:
        done = subprocess.run(
            ["sh", "-c", self._here(command)],
            cwd=self._here(f"{variables['WORKDIR']}/"),
            env={**self._environment, **self._variables(variables)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=True,
        )
        return done.stdout

    def _variables(self, variables: Mapping[str, str]) -> dict[str, str]:
        here = {name: self._here(value) for name, value in variables.items()}
        return here | {"PATH": here["PATH"].replace("$PATH", self._environment["PATH"])}

    def _copy(self, text: str, variables: Mapping[str, str]) -> None:
        *options, source, target = text.split()
        stage = options[0].removeprefix("--from=") if options else ""
        if stage and not self._stages[stage].steps:  # an image from elsewhere
            self.left_out.append(f"COPY {text}")
            return
        # An absolute target stands alone.
        into = self.root / Path(variables["WORKDIR"], target).relative_to("/")
        origin = self._folder / stage if stage else self._context
        found = list(origin.glob(source.lstrip("/"))) if source != "." else sent(origin)
        assert found, f"COPY {text}: there is no {source}"
        for path in found:
            copy(path, into / path.name if target.endswith(("/", ".")) else into)

    def _here(self, text: str) -> str:
        """The text with this machine's paths for the image's."""
        return _PATH.sub(f"{self.root}/", text)


def parsed(dockerfile: str) -> tuple[dict[str, str], dict[str, Stage]]:
    """The arguments' defaults that stand before the first stage, and the stages by name."""
    defaults: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    for word, text in instructions(dockerfile):
        if word == "FROM":
            base, _, name = text.partition(" AS ")
            stages[name] = Stage(base)
        elif stages:
            stages[list(stages)[-1]].steps.append((word, text))
        else:
            name, _, default = text.partition("=")
            defaults[name] = default
    return defaults, stages


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Each instruction's word and text, on one line."""
    lines = [line for line in dockerfile.splitlines() if line and not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", "").splitlines():
        word, _, text = line.partition(" ")
        yield word, " ".join(text.split())


def filled(text: str, variables: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: variables.get(found[1] or found[3]) or found[2] or "", text)


def sent(context: Path) -> list[Path]:
    """What of a build folder reaches the build."""
    ignored = (context / ".dockerignore").read_text().splitlines()
    return [path for path in context.iterdir() if path.name not in ignored]


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)
