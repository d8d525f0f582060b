"""The functions' secrets: a file each that only we can read."""

import base64
import binascii
import os
import re
from pathlib import Path

from tools.faas_local.deployment import Refused

#: Where the provider keeps them, in its own folder.
FOLDER = "secrets"
#: What Kubernetes takes as a name.
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class SecretStore:
    """Keeps secrets; gives their values to functions only.

    Args:
        folder: made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)

    def names(self) -> list[str]:
        return sorted(path.name for path in self._folder.iterdir())

    def create(self, name: str, value: bytes) -> None:
        """Raises Refused when there is one of that name."""
        if self._path(name).exists():
            raise Refused(409, f"there is a secret {name} already")
        self.put(name, value)

    def update(self, name: str, value: bytes) -> None:
        """Raises Refused when there is none. Functions see it from their next start on."""
        self.value(name)
        self.put(name, value)

    def put(self, name: str, value: bytes) -> None:
        """Keep the value, whether or not there was one: in one step, so that no function reads half of it."""
        path = self._path(name)
        fresh = self._folder / f".{name}"
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(value)
        fresh.rename(path)

    def remove(self, name: str) -> None:
        """Raises Refused when there is none."""
        self.value(name)
        self._path(name).unlink()

    def value(self, name: str) -> bytes:
        """Raises Refused when there is none."""
        path = self._path(name)
        if not path.is_file():
            raise Refused(404, f"there is no secret {name}")
        return path.read_bytes()

    def require(self, names: tuple[str, ...]) -> None:
        """Raises Refused, naming those that are missing."""
        missing = sorted(set(names) - set(self.names()))
        if missing:
            raise Refused(400, f"make these secrets first (faas-cli secret create): {', '.join(missing)}")

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise Refused(400, "a secret's name is made of a-z, 0-9, - and .")
        return self._folder / name


def value_of(document: dict[str, object]) -> bytes:
    """The value in a request, as text or, from newer faas-cli, as base64. Raises Refused when there is none."""
    raw = document.get("rawValue")
    if raw:
        try:
            return base64.b64decode(str(raw), validate=True)
        except binascii.Error as error:
            raise Refused(400, "rawValue is no base64") from error
    value = document.get("value")
    if not isinstance(value, str) or not value:
        raise Refused(400, "a secret needs a value")
    return value.encode()
