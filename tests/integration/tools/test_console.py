"""The built files of the console are those of its sources."""

from pathlib import Path

from local.fetch.command import UnavailableError
from tests.conftest import missing
from tools.console import BUILT, build, install


def test_a_new_build_has_the_same_bytes(tmp_path: Path) -> None:
    try:
        install()
    except UnavailableError as reason:
        missing("no packages of npm", reason)
    build(tmp_path / "built")
    assert contents(tmp_path / "built") == contents(BUILT)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
