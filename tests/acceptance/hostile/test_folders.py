"""Private folders that are made hard to measure or to remove."""

import re
from pathlib import Path

import pytest

from tests.acceptance.hostile.cases import python
from tests.acceptance.hostile.conftest import Runtimes, Target
from tests.acceptance.hostile.good import check_clean
from tests.acceptance.hostile.served import until

_DEEP = python(
    """
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    """
)

#: 96 MiB below a path that is too long to be named as a whole.
_FAR_AWAY = python(
    """
    for _ in range(18):
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
    for count in range(6):
        with open(str(count), "wb") as file:
            for _ in range(16):
                file.write(bytes(1 << 20))
    __import__("time").sleep(0.3)
    """
)

_NOT_TO_BE_ENTERED = python(
    """
    os.mkdir("closed")
    open("closed/file", "w").close()
    os.fchmod(os.open("closed", os.O_RDONLY), 0)
    """
)


_FULL_OF_LINKS = python(
    """
    os.symlink(params["outside"], "link")
    os.symlink(params["outside"] + "/kept.txt", "file")
    os.mkdir("folder")
    os.symlink(params["outside"], "folder/link")
    os.symlink("/proc/self/root", "folder/root")
    __import__("time").sleep(0.3)
    """
)


@pytest.mark.parametrize("script", [_DEEP, _NOT_TO_BE_ENTERED], ids=["deep", "not to be entered"])
def test_folder_is_removed_with_its_worker(script: str, runtimes: Runtimes) -> None:
    runtime = runtimes("python")
    before = set(runtime.folders())
    answer = runtime.run(script, isolation="execution")
    assert re.fullmatch(r"done|refused \w+|RUNTIME_ERROR exception", answer.verdict), answer.json
    check_clean(runtimes, "python")
    until(lambda: len(set(runtime.folders()) - before) <= len(runtime.workers()), "the folder to be removed")


def test_files_far_down_count(runtimes: Runtimes) -> None:
    answer = runtimes("python").run(_FAR_AWAY, isolation="execution")
    assert answer.verdict == "RUNTIME_ERROR exception", answer.json
    check_clean(runtimes, "python")


def test_what_links_lead_to_is_neither_counted_nor_removed(runtimes: Runtimes, target: Target) -> None:
    (target.outside / "large").write_bytes(bytes(runtimes("python").settings.files_max_bytes + 1))
    before = _modes(target.outside)
    answer = runtimes("python").run(_FULL_OF_LINKS, {"outside": str(target.outside)}, isolation="execution")
    assert answer.verdict == "done", answer.json
    check_clean(runtimes, "python")
    assert _modes(target.outside) == before


def _modes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mode for path in (folder, *folder.iterdir())}
