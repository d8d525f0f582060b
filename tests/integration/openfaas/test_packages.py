"""The base image's release has the packages that the Dockerfile names."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.integration.openfaas.build import ROOT, TEMPLATE
from tests.integration.openfaas.dockerfile import instructions, packages, parsed

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
