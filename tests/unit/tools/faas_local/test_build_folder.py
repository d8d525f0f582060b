"""What the provider reads from a build folder."""

from pathlib import Path

import pytest

from local.state import ROOT
from tools.faas_local import dockerfile
from tools.faas_local.build_folder import BuildFolder
from tools.faas_local.refusal import Refused

STACK = "functions:\n  mine:\n    build_args: {LIBRARY: %s}\n  other:\n    build_args: {LIBRARY: runtime}\n"


@pytest.fixture
def build(tmp_path: Path) -> BuildFolder:
    folder = tmp_path / "build" / "mine"
    (folder / "function").mkdir(parents=True)
    (folder / "install.sh").touch()
    (folder / "function" / "handler.py").write_text("one")
    (folder / "function" / "requirements.txt").touch()
    return BuildFolder(tmp_path / "build", "mine")


DOCKERFILE = r"""
ARG KIND=none
FROM x AS base
ENV PATH=/x:$PATH inherited=1
FROM base AS build
ENV early=1
FROM base AS kind-none
FROM base AS kind-special
ENV special=1
# ENV hidden=1
FROM kind-${KIND:-none} AS ship
ENV mode=http \
    fprocess="serve --now" \
    # why
    last=2
CMD ["python", "init.py", "fwatchdog"]
"""


def test_the_image_sets_what_its_last_stage_and_those_below_it_say() -> None:
    plain = dockerfile.image(DOCKERFILE, {})
    special = dockerfile.image(DOCKERFILE, {"KIND": "special"})
    expected = {"inherited": "1", "mode": "http", "fprocess": "serve --now", "last": "2"}
    assert plain.variables == expected
    assert special.variables == expected | {"special": "1"}
    assert plain.command == ("python", "init.py", "fwatchdog")


def test_our_template_says_how_it_is_ready() -> None:
    text = (ROOT / "template" / "python3-gevent" / "Dockerfile").read_text()
    image = dockerfile.image(text, {})
    expected = {"mode": "http", "suppress_lock": "true", "log_buffer_size": "-1", "PYTHONUNBUFFERED": "1"}
    assert image.variables.items() >= expected.items()
    assert image.command[-1] == "fwatchdog"


def test_a_folder_that_is_missing_or_has_no_installer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"faas-cli build --shrinkwrap -f stack\.yml"):
        BuildFolder(tmp_path / "build", "mine")
    (tmp_path / "mine.yml").write_text(STACK % "controller")
    with pytest.raises(Refused, match=r"faas-cli build --shrinkwrap -f mine\.yml"):
        BuildFolder(tmp_path / "build", "mine")
    (tmp_path / "build" / "mine").mkdir(parents=True)
    with pytest.raises(Refused, match=r"no install\.sh"):
        BuildFolder(tmp_path / "build", "mine")


def test_the_arguments_are_those_of_the_stack_files(build: BuildFolder, tmp_path: Path) -> None:
    assert build.arguments() == {}
    (tmp_path / "broken.yml").write_text("{")
    (tmp_path / "list.yaml").write_text("- 1")
    (tmp_path / "stack.yml").write_text(STACK % "controller")
    assert build.arguments() == {"LIBRARY": "controller"}
    (tmp_path / "copy.yaml").write_text(STACK % "controller")
    assert build.arguments() == {"LIBRARY": "controller"}
    (tmp_path / "rival.yml").write_text(STACK % "runtime")
    with pytest.raises(Refused, match="differ in build_args of mine"):
        build.arguments()


def test_the_digest_tells_what_has_changed(build: BuildFolder, tmp_path: Path) -> None:
    def digests() -> tuple[str, str]:
        return build.digest(modules=False), build.digest(modules=True)

    first = digests()
    (build.path / "function" / "__pycache__").mkdir()
    (build.path / "function" / "__pycache__" / "handler.pyc").touch()
    assert digests() == first

    (build.path / "function" / "handler.py").write_text("two")
    second = digests()
    assert (second[0] == first[0], second[1] == first[1]) == (True, False)

    (build.path / "function" / "requirements.txt").write_text("Flask")
    third = digests()
    assert not set(third) & {*first, *second}

    (tmp_path / "stack.yml").write_text(STACK % "controller")
    assert not set(digests()) & set(third)
