"""The template's Dockerfile: what a linter says of it, and what its steps make where there is no Docker.

What root does to a system of its own, and what images elsewhere bring, is not done here: the tests name those steps.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import missing
from tests.integration.openfaas.build import Build, clean_environment
from tests.integration.openfaas.conftest import GENERIC
from tests.integration.openfaas.image import Image, instructions
from tests.integration.openfaas.served import Served

LEFT_OUT = {
    "RUN if [ -n": "Debian's packages",
    "RUN useradd": "the image's account",
    "COPY --from=watchdog": "of-watchdog's image",
}
TEST = "import handler\n\n\ndef test_it_knows_the_number():\n    assert handler.ANSWERS['/number'] == {}\n"


@pytest.fixture(scope="module")
def image(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Of a function with a test of its own, which it passes."""
    context = tmp_path_factory.mktemp("context") / GENERIC
    shutil.copytree(build.context(GENERIC), context)
    (context / "function" / "test_handler.py").write_text(TEST.format(7))
    environment = clean_environment(Path(sys.prefix)) | {"PIP_NO_COMPILE": "0"}
    made = Image(context, tmp_path_factory.mktemp("image"), {}, environment)
    made.make("ship")
    return made


@pytest.fixture
def test_file(image: Image) -> Iterator[Path]:
    """The function's test, where the build runs it."""
    path = image.make("test") / "home" / "app" / "function" / "test_handler.py"
    content = path.read_text()
    yield path
    path.write_text(content)


def test_hadolint_has_nothing_to_say(build: Build) -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ['PATH']}")
    if hadolint is None:
        missing("hadolint")
    dockerfile = build.context(GENERIC) / "Dockerfile"
    said = subprocess.run([hadolint, "--no-color", dockerfile], capture_output=True, text=True, check=False)
    assert (said.stdout, said.returncode) == ("", 0)


def test_the_steps_make_a_function_that_serves(image: Image, watchdog: Path | None, tmp_path: Path) -> None:
    shipped = image.make("ship")
    image.run("ship", "true")
    environment = image.root / "opt" / "function"
    with Served(shipped / "home" / "app", environment, tmp_path, watchdog=watchdog) as served:
        answer = requests.get(f"{served.url}/text", timeout=10)

    assert (answer.status_code, answer.content.decode()) == (200, "grüß Gott")
    assert len(image.left_out) == len(LEFT_OUT), image.left_out
    assert all(any(step.startswith(known) for known in LEFT_OUT) for step in image.left_out)


def test_the_image_has_what_serves_and_nothing_of_the_build(image: Image) -> None:
    app = image.make("ship") / "home" / "app"

    assert {path.suffix for path in app.iterdir()} == {".py", ""}
    assert (app / "function" / "handler.py").is_file()
    with pytest.raises(subprocess.CalledProcessError):
        image.run("ship", "python -m pytest --version")
    assert "pytest" in image.run("test", "python -m pytest --version")


@pytest.mark.parametrize("content", [TEST.format(8), "# no test\n"])
def test_a_build_whose_tests_fail_or_are_none_ends(image: Image, test_file: Path, content: str) -> None:
    test_file.write_text(content)
    with pytest.raises(subprocess.CalledProcessError):
        image.run("test", "sh test.sh on")


def test_tests_are_left_out_with_a_word_and_never_without(image: Image, test_file: Path) -> None:
    test_file.write_text(TEST.format(8))
    off = image.run("test", "sh test.sh off")
    test_file.unlink()
    none = image.run("test", "sh test.sh on")

    assert "switched off" in off
    assert "no tests" in none


def test_the_toolchain_of_node_runs(image: Image) -> None:
    node = image.make("toolchain-nodejs") / "usr" / "local" / "bin" / "node"

    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("v24.")


def test_what_is_copied_for_a_toolchain_is_there(build: Build) -> None:
    context = build.context(GENERIC)
    for word, text in instructions((context / "Dockerfile").read_text()):
        if word == "COPY" and "--from" not in text:
            assert (context / text.split()[0]).exists(), text


def test_what_comes_from_elsewhere_has_a_full_version(build: Build) -> None:
    found = dict.fromkeys(("PYTHON_VERSION", "WATCHDOG_VERSION"), "")
    for word, text in instructions((build.context(GENERIC) / "Dockerfile").read_text()):
        name, _, value = text.partition("=")
        if word == "ARG" and name in found and value:
            found[name] = value
        assert word != "FROM" or "latest" not in text

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in found.values()), found
