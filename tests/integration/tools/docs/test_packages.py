"""Ten of the packages of docs/popular-packages.md work in a real runtime, and one that does not is found out."""

import re
from collections.abc import Iterator

import pytest

from local.state import ROOT
from tests.conftest import missing
from tools.docs.packages.page import Call, calls
from tools.docs.packages.trial import SAMPLE, Trial

SAMPLES = ROOT / ".local" / "packages-sample"


@pytest.fixture(scope="module", params=list(SAMPLE))
def trial(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, node_program: str
) -> Iterator[Trial]:
    """A runtime of each language, with the packages that `make test` installed."""
    folder = SAMPLES / request.param
    if not folder.with_suffix(".installed").is_file():
        missing("no sample of packages", "run python -m tools.docs.packages --sample")
    with Trial(request.param, folder, tmp_path_factory.mktemp("state"), node_program) as started:
        yield started


@pytest.mark.parametrize("number", range(5))
def test_a_package_works(trial: Trial, number: int) -> None:
    package = SAMPLE[trial.language][number].split("@")[0]
    (call,) = (each for each in calls(trial.language) if each.package == package)
    assert trial.reason(call) == ""


def test_versions_are_those_installed(trial: Trial) -> None:
    names = [package.split("@")[0] for package in SAMPLE[trial.language]]
    assert all(re.match(r"\d+\.\d", trial.version(name) or "") for name in names)
    assert trial.version("absent") is None


def test_another_result_is_a_reason(trial: Trial) -> None:
    script = {"python": "result = 1", "nodejs": "return 1;"}[trial.language]
    assert trial.reason(Call("any", "counts", script, 2)) == "the result is 1"


def test_an_absent_package_is_a_reason(trial: Trial) -> None:
    script = {"python": "import absent", "nodejs": "require('absent');"}[trial.language]
    assert "'absent'" in trial.reason(Call("absent", "fails", script, None))
