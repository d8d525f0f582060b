"""Builds an image without Docker, as far as possible: a Dockerfile's stages, one after another, in plain folders.

`/opt`, `/home`, `/srv` and `/usr/local/bin` of the image are below a symbolic link, `root`, to the current stage. So
the paths that programs record, for instance in the scripts of a virtual environment, are also right in stages that
copy them. The rest of the image is this machine.
"""

import json
import os
import pickle
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from tests.integration.openfaas.dockerfile import Instruction, filled, parsed

#: Commands that require root and change the system.
FOR_ROOT = re.compile(r"apt-get|useradd")
#: Most seconds for one RUN.
TIMEOUT = 600
_OURS = re.compile(r"(?<![\w./])/(?=(opt|home|srv|usr/local/bin)\b)")


@dataclass(frozen=True)
class Machine:
    """Takes the place of the base image and of the distribution's packages.

    Args:
        environment: Variables of every RUN and of every process in the image.
        paths: Paths in the image, with their paths on this machine.
    """

    environment: Mapping[str, str]
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Image:
    """A built stage in `folder`, with the settings of its processes. `root` is a link to the folder."""

    folder: Path
    root: Path
    machine: Machine
    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "root"
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)
    #: Paths owned by the user, not by root.
    owned: list[str] = field(default_factory=list)
    #: Build arguments, which only RUN sees.
    arguments: dict[str, str] = field(default_factory=dict)

    def here(self, text: str) -> str:
        """Return a text with the image's paths replaced by this machine's."""
        for path, place in self.machine.paths.items():
            text = text.replace(path, place)
        return _OURS.sub(f"{self.root}/", text)

    def variables(self) -> dict[str, str]:
        """Return the environment of a process in the image."""
        ours = {name: self.here(value) for name, value in self.environment.items()}
        found = f"{self.root}/usr/local/bin{os.pathsep}{self.machine.environment['PATH']}"
        path = ours.get("PATH", "$PATH").replace("$PATH", found)
        return {**self.machine.environment, **ours, "PATH": path}

    def run(self, command: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a shell command, as RUN does, and return its status and output."""
        return subprocess.run(
            ["sh", "-c", self.here(command)],
            cwd=self.here(f"{self.workdir}/"),
            env=self.variables() | self.arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
            **options,
        )


class Layout:
    """Builds the stages of the Dockerfile in a build folder below `folder`, each once.

    `left_out` lists the steps that were skipped.

    Args:
        arguments: Build arguments, which replace the Dockerfile's defaults. TOOLCHAIN is an argument of each image.
    """

    def __init__(self, context: Path, folder: Path, arguments: Mapping[str, str], machine: Machine) -> None:
        self.left_out: list[str] = []
        self._context = context
        self._folder = folder
        self._machine = machine
        self._dockerfile = parsed((context / "Dockerfile").read_text())
        self._arguments = {**self._dockerfile.defaults, **arguments}
        self._images: dict[Path, Image] = {}

    @classmethod
    @contextmanager
    def kept(
        cls, context: Path, folder: Path, arguments: Mapping[str, str], machine: Machine
    ) -> Iterator[Self]:
        """The layout of the folder, which another process may have begun; what is built now is kept in turn."""
        note = folder.with_suffix(".layout")
        layout = (
            pickle.loads(note.read_bytes()) if note.exists() else cls(context, folder, arguments, machine)
        )
        yield layout
        note.parent.mkdir(exist_ok=True)
        note.write_bytes(pickle.dumps(layout))

    def image(self, name: str, toolchain: str = "none") -> Image:
        """Return a stage, after building it and the stages that it needs."""
        stage = self._dockerfile.stages[name]
        base = filled(stage.base, {**self._arguments, "TOOLCHAIN": toolchain})
        # The stage with a variable base is built for each toolchain.
        place = self._folder / (f"{name}-{toolchain}" if "TOOLCHAIN" in stage.base else name)
        if place not in self._images:
            for needed in re.findall(r"--from=(\S+)", "\n".join(step.text for step in stage.steps)):
                self.image(needed, toolchain)
            self._images[place] = self._begun(place, base, toolchain)
            self._enter(place)
            for step in stage.steps:
                self._do(step, self._images[place])
        self._enter(place)
        return self._images[place]

    def shipped(self, toolchain: str = "none") -> Image:
        """Return the last stage. Its programs do not use the link, so other stages may be built while they run."""
        made = self.image("ship", toolchain)
        for path in (one for name in ("opt/function/bin", "opt/rust") for one in files(made.folder / name)):
            content = path.read_bytes()
            if bytes(made.root) in content and not path.is_symlink():
                mode = path.stat().st_mode
                path.unlink()
                path.write_bytes(content.replace(bytes(made.root), bytes(made.folder)))
                path.chmod(mode)
        return replace(made, root=made.folder)

    def _begun(self, place: Path, base: str, toolchain: str) -> Image:
        """Return a stage after its FROM; an external image is empty."""
        root = self._folder / "root"
        if base not in self._dockerfile.stages:
            place.mkdir(parents=True)
            return Image(place, root, self._machine)
        under = self.image(base, toolchain)
        copy(under.folder, place, link=True)
        return Image(
            place,
            root,
            self._machine,
            environment=dict(under.environment),
            workdir=under.workdir,
            owned=list(under.owned),
        )

    def _enter(self, place: Path) -> None:
        root = self._folder / "root"
        root.unlink(missing_ok=True)
        root.symlink_to(place)

    def _do(self, step: Instruction, image: Image) -> None:
        do = getattr(self, f"_{step.word.lower()}", None)
        assert do is not None, f"what is {step.word}?"
        do(step.text, image)

    def _arg(self, text: str, image: Image) -> None:
        name, _, default = text.partition("=")
        image.arguments[name] = self._arguments.get(name, default.strip('"'))

    def _env(self, text: str, image: Image) -> None:
        known = {**image.arguments, **image.environment, "PATH": "$PATH"}
        for pair in shlex.split(text):
            name, _, value = pair.partition("=")
            image.environment[name] = filled(value, known)

    def _label(self, text: str, image: Image) -> None:
        image.labels |= dict(pair.split("=", 1) for pair in shlex.split(filled(text, image.arguments)))

    def _workdir(self, text: str, image: Image) -> None:
        image.workdir = text
        Path(image.here(f"{text}/")).mkdir(parents=True, exist_ok=True)

    def _user(self, text: str, image: Image) -> None:
        image.user = text

    def _expose(self, text: str, image: Image) -> None:
        image.ports += text.split()

    def _cmd(self, text: str, image: Image) -> None:
        image.command = json.loads(text)

    def _healthcheck(self, text: str, image: Image) -> None:
        image.healthcheck = json.loads(text.partition("CMD ")[2])

    def _run(self, text: str, image: Image) -> None:
        if FOR_ROOT.search(text):
            self.left_out.append(f"RUN {text}")
            return
        done = image.run(re.sub(r"--mount=\S+ ", "", text))
        assert done.returncode == 0, f"RUN {text}: {done.stdout}"

    def _copy(self, text: str, image: Image) -> None:
        words = text.split()
        options = dict(word.removeprefix("--").split("=") for word in words if word.startswith("--"))
        source, target = [word for word in words if not word.startswith("--")]
        stage = self._dockerfile.stages.get(options.get("from", ""))
        if stage is not None and not stage.steps:  # an image from elsewhere
            self.left_out.append(f"COPY {text}")
            return
        if "chown" in options:
            image.owned.append(target)
        # An absolute target stands alone.
        into = image.folder / Path(image.workdir, target).relative_to("/")
        origin = self._folder / options["from"] if stage else self._context
        found = list(origin.glob(source.lstrip("/"))) if source != "." else sent(origin)
        assert found, f"COPY {text}: there is no {source}"
        for path in found:
            copy(path, into / path.name if target.endswith(("/", ".")) else into, link=stage is not None)


def sent(context: Path) -> list[Path]:
    """Return the files of a build folder that are not ignored by the build."""
    ignored = (context / ".dockerignore").read_text().splitlines()
    return [path for path in context.iterdir() if path.name not in ignored]


def copy(source: Path, target: Path, *, link: bool = False) -> None:
    """Copy a file or a folder. With `link`, use hard links: a file in a stage is replaced, never written to."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_file():
        target.unlink()
    if source.is_dir():
        duplicate = _linked if link else shutil.copy2
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, copy_function=duplicate)
    elif link:
        os.link(source, target)
    else:
        shutil.copy(source, target)


def _linked(source: str, target: str) -> None:
    Path(target).unlink(missing_ok=True)
    os.link(source, target, follow_symlinks=False)


def files(folder: Path) -> Iterator[Path]:
    """Return every file below a folder."""
    return (path for path in folder.rglob("*") if path.is_file())
