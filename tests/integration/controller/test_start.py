"""A controller that cannot start says why in one line."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_spool_folder_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = {
        "JWT_SECRET": "j" * 32,
        "RUNTIME_SECRET": "r" * 16,
        "METRICS_PORT": "0",
        "SPOOL_DIR": str(tmp_path / "file"),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from controller.app import controller; controller()"],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.splitlines() == [f"controller: SPOOL_DIR {tmp_path / 'file'}: Not a directory"]
