"""ScriptPackages: which packages a script has, and the environment that they get."""

from collections.abc import Mapping, Sequence
from time import monotonic
from types import MappingProxyType
from typing import Any, NamedTuple

from controller.call import Call
from controller.declarations.declared import Declared, of_field, of_script
from controller.errors import InitializationFailed, InvalidRequest
from controller.execution.package_installer import PackageInstaller
from controller.models.requests import PackagesAsked

#: The languages with environments, and the language of these. Rust has its crates built in.
LANGUAGES: Mapping[str, str] = MappingProxyType(
    {"python": "python", "nodejs": "nodejs", "typescript": "nodejs"}
)
NONE = Declared(())


class Wanted(NamedTuple):
    """The packages of a script, and those of them that the field `packages` of its function has."""

    declared: Declared
    field: tuple[str, ...]


class Pinned(NamedTuple):
    """The packages of the newest version of a function, and their environment if it has one."""

    declared: Declared = NONE
    environment: str | None = None


class ScriptPackages:
    """Finds and installs the packages of scripts.

    Args:
        installer: installs packages.
        refusal: why the deployment installs none. Empty: it does.
        wait: seconds that a request waits for new packages.
    """

    def __init__(self, installer: PackageInstaller, refusal: str, wait: float) -> None:
        self._installer = installer
        self._refusal = refusal
        self._wait = wait

    def deadline(self) -> float:
        """Return until when a request that begins now waits for its packages, on the monotonic clock."""
        return monotonic() + self._wait

    def none(self, language: str, script: str, asked: PackagesAsked) -> bool:
        """Return whether neither the script nor its request says anything of packages.

        Raises:
            InitializationFailed: the declaration in the script is refused.
        """
        return not asked.given and of_script(language, script) is None

    def wanted(self, language: str, script: str, asked: PackagesAsked, kept: Sequence[str] = ()) -> Wanted:
        """Return the packages of a script.

        Args:
            language: the language of its runtime.
            script: its text.
            asked: what the request says beside it.
            kept: the field `packages` of its function, for a request that leaves the field out.

        Raises:
            InitializationFailed: the declaration in the script is refused.
            InvalidRequest: the field is refused, or the script declares its packages itself.
        """
        own = of_script(language, script)
        pointer = f"{asked.place}/packages"
        if own is None:
            named = kept if asked.packages is None else of_field(language, asked.packages, pointer).packages
            return Wanted(Declared(tuple(named)), tuple(named))
        if asked.packages is not None:
            fault = {"pointer": pointer, "message": "the script declares its packages itself"}
            raise InvalidRequest(f"{pointer}: {fault['message']}", details={"errors": [fault]})
        return Wanted(own, ())

    def environment(
        self,
        call: Call,
        language: str,
        declared: Declared,
        asked: PackagesAsked,
        newest: Pinned,
        until: float,
    ) -> str | None:
        """Return the environment of packages, ready. None: there are none.

        Args:
            call: the record of the request.
            language: the language of the runtime.
            declared: the packages.
            asked: what the request says of them.
            newest: what the function has. The same packages keep their environment.
            until: deadline on the monotonic clock.

        Raises:
            ServiceError: see `PackageInstaller.environment`.
        """
        if declared == newest.declared and newest.environment and not asked.lock and not asked.refresh:
            return newest.environment
        if not declared.packages and not asked.lock:
            return None
        if self._refusal:
            details: dict[str, Any] = {"stage": "resolve", "line": None, "column": None, "diagnostics": []}
            raise InitializationFailed(self._refusal, details=details)
        if language not in LANGUAGES:
            if asked.lock:
                raise InvalidRequest(f"{asked.place}/lock: scripts in {language} have no lock")
            return None
        with call.at_runtime():
            return self._installer.environment(
                call.user_id, LANGUAGES[language], declared, asked.lock, refresh=asked.refresh, until=until
            )
