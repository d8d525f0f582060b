"""A script that lists what scripts may import. It runs in a worker like them, and so finds the same."""

import contextlib
import importlib
import pkgutil
import platform
import sys
from collections.abc import Iterable
from importlib import metadata
from typing import Any

#: Importing these has a visible effect.
_JOKES = {"antigravity", "this"}


def handle(params: dict[str, Any]) -> dict[str, Any]:
    """Return the members of `runtime.languages.base.Libraries`."""
    public = sorted(name for name in sys.stdlib_module_names if not name.startswith("_"))
    return {
        "version": platform.python_version(),
        "standard_library": [name for name in public if name in _JOKES or _can_be_imported(name)],
        "packages": dict(sorted(_packages(params["packages"]).items())),
    }


def _can_be_imported(name: str) -> bool:
    """Return whether a module can be imported. Python lists those of all systems, and some need extra libraries."""
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
        return True
    return False


def _packages(folders: Iterable[str]) -> dict[str, str | None]:
    """Return the versions of the distributions by name, and None for modules that belong to none."""
    modules = {module.name for module in pkgutil.iter_modules(folders)}
    loose = modules - metadata.packages_distributions().keys() - sys.stdlib_module_names
    # An import finds the one in the earlier folder, so that one must come last here.
    distributions = reversed(list(metadata.distributions()))
    return dict.fromkeys(loose) | {found.name: found.version for found in distributions}
