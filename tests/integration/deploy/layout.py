"""Lays out the stages of a Dockerfile in plain folders: what it copies is copied, what it runs is run.

No engine and no rights are needed, for two things are different. `/opt` and `/srv`, where our Dockerfiles put all
that is ours, are folders of the stage; the rest is this machine's. And what the distribution's packages would bring
is the machine's too: a RUN that calls apt-get is not run, but has to be provided for by the test.
"""

import copy
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.deploy.dockerfile import Context, Instruction, Stage, read, substituted

#: Seconds for one RUN.
TIMEOUT = 300
#: The folders that belong to a stage.
OURS = re.compile(r"(?<![\w./])/(opt|srv)\b")


@dataclass(frozen=True)
class Machine:
    """What stands for the base image and the distribution's packages.

    Args:
        environment: for every RUN and for what is started.
        paths: places in the image to places on this machine.
    """

    environment: Mapping[str, str]
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Image:
    """A stage that was laid out in `folder`."""

    folder: Path
    machine: Machine
    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    packages: list[str] = field(default_factory=list)
    workdir: str = "/"
    user: str = "root"
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)
    owned: list[str] = field(default_factory=list)
    """Places that belong to the user and not to root."""

    def based(self, folder: Path) -> "Image":
        """The same in a folder of its own, as the beginning of another stage."""
        _copy_tree(self.folder, folder, self.folder)
        image = copy.deepcopy(self)
        image.folder = folder
        for name, value in image.environment.items():
            image.environment[name] = value.replace(f"{self.folder}/", f"{folder}/")
        return image

    def place(self, path: str) -> Path:
        """Where a path of the image lies here."""
        return Path(self.here(str(Path(self.workdir, path))))

    def here(self, text: str) -> str:
        """The text with the image's paths as they are here."""
        for path, place in self.machine.paths.items():
            text = text.replace(path, place)
        return OURS.sub(lambda found: f"{self.folder}{found[0]}", text)

    def variables(self) -> dict[str, str]:
        """The environment of a process in the image, paths as they are here."""
        return {**self.machine.environment, **self.environment}

    def argv(self, command: list[str]) -> list[str]:
        """A command's words, the program being looked for where the image's PATH says."""
        program = shutil.which(command[0], path=self.variables()["PATH"])
        assert program is not None, f"the image has no {command[0]}"
        return [program, *(self.here(word) for word in command[1:])]


class Layout:
    """Stages of one Dockerfile, each laid out once."""

    def __init__(self, dockerfile: Path, root: Path, folder: Path, machine: Machine) -> None:
        self._stages = read(dockerfile)
        self._context = Context(root, dockerfile.with_name(f"{dockerfile.name}.dockerignore"))
        self._folder = folder
        self._machine = machine
        self._images: dict[str, Image] = {}

    def image(self, name: str) -> Image:
        if name not in self._images:
            self._images[name] = self._laid_out(self._stages[name])
        return self._images[name]

    def _laid_out(self, stage: Stage) -> Image:
        folder = self._folder / stage.name
        if stage.base in self._stages:
            image = self.image(stage.base).based(folder)
        else:
            folder.mkdir(parents=True)
            image = Image(folder, self._machine)
        for instruction in stage.instructions:
            do = getattr(self, f"_{instruction.name.lower()}", None)
            assert do is not None, f"line {instruction.line}: {instruction.name} is not known here"
            do(image, instruction)
        return image

    def _env(self, image: Image, instruction: Instruction) -> None:
        known = image.variables()
        for pair in shlex.split(instruction.text):
            name, _, value = pair.partition("=")
            # Its own paths first: what a variable brings along may be the machine's.
            image.environment[name] = substituted(image.here(value), known)

    def _label(self, image: Image, instruction: Instruction) -> None:
        image.labels |= dict(pair.split("=", 1) for pair in shlex.split(instruction.text))

    def _workdir(self, image: Image, instruction: Instruction) -> None:
        image.workdir = str(Path(image.workdir, instruction.text))
        image.place(".").mkdir(parents=True, exist_ok=True)

    def _user(self, image: Image, instruction: Instruction) -> None:
        image.user = instruction.text

    def _expose(self, image: Image, instruction: Instruction) -> None:
        image.ports += instruction.text.split()

    def _cmd(self, image: Image, instruction: Instruction) -> None:
        image.command = json.loads(instruction.text)

    def _healthcheck(self, image: Image, instruction: Instruction) -> None:
        image.healthcheck = json.loads(instruction.text.partition(" CMD ")[2])

    def _run(self, image: Image, instruction: Instruction) -> None:
        if "apt-get" in instruction.text:
            image.packages += packages(instruction.text)
            return
        done = subprocess.run(
            ["sh", "-c", image.here(instruction.text)],
            cwd=image.place("."),
            env=image.variables(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"line {instruction.line}: {done.stdout}{done.stderr}"

    def _copy(self, image: Image, instruction: Instruction) -> None:
        words = instruction.text.split()
        options = dict(word.removeprefix("--").split("=") for word in words if word.startswith("--"))
        *sources, destination = [word for word in words if not word.startswith("--")]
        target = image.place(destination)
        assert target.is_relative_to(image.folder), f"line {instruction.line}: {destination} is not ours"
        if "chown" in options:
            image.owned.append(destination)
        for source in sources:
            if "from" in options:
                self._copy_from(self.image(options["from"]), source, target)
            else:
                self._copy_context(source, target, many=destination.endswith("/"), line=instruction.line)

    @staticmethod
    def _copy_from(other: Image, source: str, target: Path) -> None:
        found = other.place(source)
        if found.is_file():
            shutil.copy(found, target)
        else:
            _copy_tree(found, target, other.folder)

    def _copy_context(self, source: str, target: Path, *, many: bool, line: int) -> None:
        files = self._context.files(source)
        assert files, f"line {line}: {source} is not in the context"
        for file in files:
            whole = self._context.root / source
            inside = file.relative_to(source) if whole.is_dir() else Path(file.name if many else "")
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            (target / inside).unlink(missing_ok=True)
            shutil.copy(self._context.root / file, target / inside)


def packages(command: str) -> list[str]:
    """What a command has apt-get install or download."""
    named = re.findall(r"apt-get (?:install|download) ([^&;]+)", command)
    return [word for words in named for word in words.split() if not word.startswith("-")]


def _copy_tree(source: Path, target: Path, before: Path) -> None:
    """Copy a folder from the stage laid out in `before`.

    Files are shared by stages and not written to again, with one exception: those which name others by whole paths,
    of which a stage's folder is a part here. Python's packages have none.
    """
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, copy_function=os.link)
    now = next(place for place in (target, *target.parents) if place.parent == before.parent)
    for path in target.rglob("*"):
        if "site-packages" in path.parts or path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if bytes(before) + b"/" in content and b"\0" not in content:
            mode = path.stat().st_mode
            path.unlink()
            path.write_bytes(content.replace(bytes(before) + b"/", bytes(now) + b"/"))
            path.chmod(mode)
