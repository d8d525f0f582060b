"""The folder of packages that a process reads as long as it lives."""

from collections.abc import Callable
from typing import Any

from runtime.json_codec import decode, encode

#: What errors and output have in place of the folder.
SHOWN = "/packages"


class Packages:
    """A folder that is kept for a process until `release`.

    Callers of the script must not learn the folder's name: every Node.js script that knows it can read it.

    Args:
        folder: The folder; empty for none.
        release: Called once, when the process has ended.
    """

    def __init__(self, folder: str = "", release: Callable[[], object] = lambda: None) -> None:
        self.folder = folder
        self.release = release

    def shown(self, text: str) -> str:
        """Return what the process has printed, with SHOWN in place of the folder."""
        return text.replace(self.folder, SHOWN) if self.folder else text

    def told(self, report: Any) -> Any:
        """Return its report of a failure, with SHOWN in place of the folder."""
        if not self.folder or not isinstance(report, dict):
            return report
        return decode(self.shown(encode(report).decode()).encode())
