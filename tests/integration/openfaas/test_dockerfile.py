"""The template's Dockerfile: linted, its packages looked up, and its steps executed without Docker.

What root does to a system, and what images elsewhere bring, is not done here: the tests name those steps."""

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
from tests.integration.openfaas.build import ROOT, TEMPLATE, Build, BuiltFunction
from tests.integration.openfaas.conftest import GENERIC
from tests.integration.openfaas.dockerfile import instructions, packages, parsed
from tests.integration.openfaas.image import Layout, copy
from tests.integration.openfaas.served import Served
from tests.shared import alone

HADOLINT = Path(sys.executable).with_name("hadolint")
LEFT_OUT = {
    "RUN if [ -n": "Debian's packages",
    "RUN useradd": "the image's account",
    "COPY --from=watchdog": "of-watchdog's image",
}
TEST = "import handler\n\n\ndef test_it_knows_the_number():\n    assert handler.ANSWERS['/number'] == {}\n"


@pytest.fixture(scope="module")
def layout(build: Build) -> Iterator[Layout]:
    """The stages of a function with a test that passes. They are kept like other images."""
    folder = build.folder / "tested"
    folder.mkdir(exist_ok=True)
    with alone(folder):
        context, stages = folder / GENERIC, folder / "stages"
        if not stages.with_suffix(".layout").exists():
            for unfinished in (context, stages):
                shutil.rmtree(unfinished, ignore_errors=True)
            # Below the checkout, pytest in the image would take the checkout's settings.
            (folder / "pytest.ini").write_text("[pytest]\n")
            copy(build.context(GENERIC), context)
            (context / "function" / "test_handler.py").write_text(TEST.format(7))
        with Layout.kept(context, stages, {}, build.machine) as layout:
            yield layout


@pytest.fixture
def test_file(layout: Layout) -> Iterator[Path]:
    """The function's test, where the build runs it; another stage shares the file."""
    path = layout.image("test").folder / "home" / "app" / "function" / "test_handler.py"
    content = path.read_text()
    path.unlink()
    path.write_text(content)
    yield path
    path.write_text(content)


@pytest.mark.parametrize(
    "dockerfile", list(ROOT.glob("template/*/Dockerfile")), ids=lambda path: path.parent.name
)
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    assert complaints(dockerfile.relative_to(ROOT)) == ""


def complaints(dockerfile: Path) -> str:
    """Run hadolint with .hadolint.yaml of the repository's root."""
    command = [str(HADOLINT), "--no-color", str(dockerfile)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_the_steps_make_a_function_that_serves(layout: Layout, watchdog: Path | None, tmp_path: Path) -> None:
    image = layout.shipped()
    function = BuiltFunction(image, image.folder / "home" / "app")
    with Served(function, tmp_path, watchdog=watchdog) as served:
        answer = requests.get(f"{served.url}/text", timeout=60)

    assert (answer.status_code, answer.content.decode()) == (200, "grüß Gott")
    assert len(layout.left_out) == len(LEFT_OUT), layout.left_out
    assert all(any(step.startswith(known) for known in LEFT_OUT) for step in layout.left_out)


def test_the_image_contains_no_files_of_the_build(layout: Layout) -> None:
    shipped, tested = layout.shipped(), layout.image("test")
    app = shipped.folder / "home" / "app"

    assert {path.suffix for path in app.iterdir()} == {".py", ""}
    assert (app / "function" / "handler.py").is_file()
    assert shipped.run("python -m pytest --version").returncode != 0
    assert shipped.run("test -e /opt/function/bin/pip").returncode != 0
    assert "pytest" in tested.run("python -m pytest --version").stdout


@pytest.mark.parametrize("content", [TEST.format(8), "# no test\n"])
def test_a_build_fails_with_failing_or_empty_tests(layout: Layout, test_file: Path, content: str) -> None:
    test_file.write_text(content)

    assert layout.image("test").run("sh test.sh on").returncode != 0


def test_skipped_tests_are_mentioned_in_the_build_log(layout: Layout, test_file: Path) -> None:
    test_file.write_text(TEST.format(8))
    off = layout.image("test").run("sh test.sh off")
    test_file.unlink()
    none = layout.image("test").run("sh test.sh on")

    assert (off.returncode, "switched off" in off.stdout) == (0, True)
    assert (none.returncode, "no tests" in none.stdout) == (0, True)


def test_the_toolchain_of_node_runs(layout: Layout) -> None:
    assert layout.image("toolchain-nodejs").run("/usr/local/bin/node --version").stdout.startswith("v24.")


def test_the_tools_for_packages_run(layout: Layout) -> None:
    image = layout.image("toolchain-packages")

    assert image.run("/usr/local/bin/uv --version").stdout.startswith("uv 0.13.")
    assert (
        image.run("/usr/local/bin/node /usr/local/lib/node_modules/npm/bin/npm-cli.js --version").stdout
        > "11.1"
    )


def test_every_file_copied_for_a_toolchain_exists(build: Build) -> None:
    context = build.context(GENERIC)
    for step in instructions((context / "Dockerfile").read_text()):
        if step.word == "COPY" and "--from" not in step.text:
            assert (context / step.text.split()[0]).exists(), step.text


def test_external_images_have_a_full_version(build: Build) -> None:
    found = dict.fromkeys(("PYTHON_VERSION", "WATCHDOG_VERSION"), "")
    for step in instructions((build.context(GENERIC) / "Dockerfile").read_text()):
        name, _, value = step.text.partition("=")
        if step.word == "ARG" and name in found and value:
            found[name] = value
        assert step.word != "FROM" or "latest" not in step.text

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in found.values()), found


DOCKERFILE = (ROOT / "template" / TEMPLATE / "Dockerfile").read_text()
#: Most seconds for downloading the lists of a release.
TIMEOUT = 120
SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources"))
CONFIGURATION = """\
Dir::State "{folder}";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{folder}/sources";
APT::Sandbox::User "root";
Acquire::Languages "none";
"""


class Release:
    """The packages of one release, from this machine's mirror.

    Args:
        name: such as trixie.
        folder: for its lists.
    """

    def __init__(self, name: str, folder: Path) -> None:
        for place in ("sources", "lists/partial", "cache/archives/partial"):
            (folder / place).mkdir(parents=True)
        (folder / "status").touch()
        for source in SOURCES:
            if source.is_file():
                (folder / "sources" / source.name).write_text(_of(name, source))
        (folder / "apt.conf").write_text(CONFIGURATION.format(folder=folder))
        self._environment = os.environ | {"APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}

    def update(self) -> "subprocess.CompletedProcess[str]":
        return self._run("apt-get", "update", "-q", "--error-on=any")

    def known(self, names: set[str]) -> set[str]:
        """Return the names for which the release has a package."""
        shown = self._run("apt-cache", "show", "--no-all-versions", *names).stdout
        return set(re.findall(r"^Package: (\S+)$", shown, re.MULTILINE))

    def _run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    bases = [stage.base for stage in parsed(DOCKERFILE).stages.values()]
    names = {found[1] for base in bases if (found := re.search(r"python:\S+-slim-(\w+)", base))}
    assert len(names) == 1
    release = Release(names.pop(), tmp_path_factory.mktemp("release"))
    try:
        answer = release.update()
    except OSError as reason:
        missing("no apt-get", reason)
    if answer.returncode != 0:
        missing("no lists of the base image's release", answer.stderr)
    return release


def test_the_release_has_every_package_of_the_dockerfile(release: Release) -> None:
    asked = {name for step in instructions(DOCKERFILE) for name in packages(step.text)}

    assert {"lld", "rustc"} < asked
    assert release.known({*asked, "no-such-package-anywhere"}) == asked


def _of(release: str, source: Path) -> str:
    """Return this machine's list of sources with the suites of the release."""
    text = source.read_text()
    codename = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    return text.replace(codename[1], release) if codename else text
