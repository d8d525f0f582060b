"""FolderParts: the parts of environments in a folder that all processes of one machine share."""

import shutil
from contextlib import suppress
from pathlib import Path

from controller.errors import StoreUnavailable


class FolderParts:
    """A folder for each environment, in it one for each build. A build that lost its lease disturbs no other.

    Args:
        folder: ENVIRONMENTS_DIR.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put_part(self, digest: str, build: str, part: int, content: bytes) -> bool:
        """See `PartStore.put_part`. It is the row that knows whether the lease is lost."""
        place = self._folder / digest / build
        try:
            place.mkdir(parents=True, exist_ok=True)
            (place / str(part)).write_bytes(content)
        except OSError as error:
            raise StoreUnavailable("the folder of environments takes no part") from error
        return True

    def part(self, digest: str, build: str, part: int) -> bytes | None:
        """See `PartStore.part`."""
        try:
            return (self._folder / digest / build / str(part)).read_bytes()
        except OSError:
            return None

    def drop_parts(self, digest: str, build: str) -> None:
        """See `PartStore.drop_parts`."""
        shutil.rmtree(self._folder / digest / build, ignore_errors=True)
        with suppress(OSError):
            (self._folder / digest).rmdir()
