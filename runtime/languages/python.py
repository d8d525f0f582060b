"""Python: workers are forks of a process that has imported most of the standard library."""

from pathlib import Path
from typing import Any

from runtime.languages.base import Host, Interpreted, Script
from runtime.process.process import Launch, Preload
from runtime.sandbox import landlock
from runtime.sandbox.confine import RESERVED_BYTES, Confinement, interpreter_paths
from runtime.settings import Settings

#: Modules that scripts import most. The first import of one in a worker takes up to 60 ms.
# fmt: off
_STANDARD_LIBRARY = (
    "abc", "argparse", "array", "ast", "asyncio", "base64", "binascii", "bisect", "calendar", "cmath",
    "codecs", "collections", "concurrent.futures", "contextlib", "copy", "csv", "ctypes", "dataclasses",
    "datetime", "decimal", "difflib", "email.message", "email.mime.text", "encodings.idna", "enum",
    "fnmatch", "fractions", "functools", "glob", "gzip", "hashlib", "heapq", "hmac", "html", "html.parser",
    "http.client", "inspect", "io", "itertools", "json", "linecache", "locale", "logging", "math",
    "numbers", "operator", "os", "pathlib", "pickle", "platform", "pprint", "queue", "random", "re",
    "sched", "secrets", "shutil", "signal", "socket", "sqlite3", "ssl", "statistics", "string",
    "stringprep", "struct", "subprocess", "sys", "tempfile", "textwrap", "threading", "time", "timeit",
    "traceback", "types", "typing", "unicodedata", "unittest.mock", "urllib.parse", "urllib.request",
    "uuid", "warnings", "weakref", "xml.etree.ElementTree", "zipfile", "zlib", "zoneinfo",
)
# fmt: on


class Python(Interpreted):
    """Python, in the version that runs this program."""

    name = "python"
    checks = True
    # A worker may list folders, as the import system does: so a second layer leaves it the one that is its own.
    environments_access = landlock.READ
    inventory = Path(__file__).parents[1] / "workers" / "python_libraries.py"

    def __init__(self, settings: Settings) -> None:
        self._packages = settings.packages
        self._confinement = Confinement(
            read=(*interpreter_paths(), *settings.packages),
            # The limits watcher bounds what is used. This bounds what is used between two of its looks.
            memory_bytes=settings.memory_max_bytes + RESERVED_BYTES,
            cpu_seconds=settings.cpu_max_seconds,
            network=settings.network,
            off=settings.isolation_off,
        )

    def preload(self) -> Preload:
        """Return the common modules and the worker program."""
        return Preload(modules=_STANDARD_LIBRARY, worker="runtime.workers.python_worker")

    def launch(self) -> Launch:
        """Return a fork of the fork server."""
        return Launch(confinement=self._confinement)

    def load_payload(self, script: Script, folder: Path, host: Host) -> dict[str, Any]:
        """Return the source and the deployment's folders of packages."""
        return {"source": script.content, "packages": self._packages}
