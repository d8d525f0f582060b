"""Private folders that are made hard to measure or to remove."""

import re

import pytest

from tests.acceptance.hostile.cases import python
from tests.acceptance.hostile.conftest import Runtimes
from tests.acceptance.hostile.good import check_clean
from tests.acceptance.hostile.served import until

_DEEP = python(
    """
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    """
)

#: 256 MiB below a path that is too long to be named as a whole.
_FAR_AWAY = python(
    """
    for _ in range(18):
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
    for count in range(16):
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
