"""A script that tells what scripts may import. It runs as one of them, and finds what they find."""

import contextlib
import importlib
import pkgutil
import platform
import sys
from collections.abc import Iterable
from importlib import metadata
from typing import Any

#: Importing these does something.
_JOKES = {"antigravity", "this"}


def handle(params: dict[str, Any]) -> dict[str, Any]:
    public = sorted(name for name in sys.stdlib_module_names if not name.startswith("_"))
    return {
        "version": platform.python_version(),
        "standard_library": [name for name in public if name in _JOKES or _can_be_imported(name)],
        "packages": dict(sorted(_packages(params["packages"]).items())),
    }


def _can_be_imported(name: str) -> bool:
    """The names are those of all systems, and some modules need libraries that a machine may lack."""
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
        return True
    return False


def _packages(folders: Iterable[str]) -> dict[str, str | None]:
    """Distributions by their metadata, and modules that belong to none."""
    modules = {module.name for module in pkgutil.iter_modules(folders)}
    loose = modules - metadata.packages_distributions().keys() - sys.stdlib_module_names
    # What stands in an earlier folder is what an import finds.
    distributions = reversed(list(metadata.distributions()))
    return dict.fromkeys(loose) | {found.name: found.version for found in distributions}
