"""docs/adding-a-language.md shows the code that is tested here, and nothing else."""

import re
from pathlib import Path

from tests.conftest import ROOT

HERE = Path(__file__).parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "adding-a-language.md").read_text(), re.DOTALL)


def test_the_module_and_the_worker_program_are_shown_whole() -> None:
    assert (HERE / "sh.py").read_text() in BLOCKS
    assert (HERE / "sh_worker.py").read_text() in BLOCKS


def test_all_code_that_is_shown_is_code_that_is_tested() -> None:
    tested = [(HERE / name).read_text() for name in ("sh.py", "sh_worker.py", "test_sh.py")]
    assert len(BLOCKS) == 5
    assert [block for block in BLOCKS if not any(block in text for text in tested)] == []
