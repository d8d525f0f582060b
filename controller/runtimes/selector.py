"""RuntimeSelector: which runtime serves a Language-Title (specification 4.4).

The order: an entry of the mappings file, then the runtimes discovered in Kubernetes, then those of RUNTIME_URLS.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from controller.errors import NotFound, RuntimeUnavailable
from controller.models.registered import LanguageTitle

#: Language to base URLs, without a slash at the end. Empty: the language is known, but no runtime is ready.
Addresses = Mapping[str, tuple[str, ...]]
#: Languages that another language's runtimes run too, unless they have runtimes for themselves.
DIALECTS = {"typescript": "nodejs"}


class RuntimeRoute(Struct, frozen=True):
    """A runtime for a script. All addresses are equivalent."""

    #: The language that the runtime runs.
    language: str
    addresses: tuple[str, ...]


class Mappings(Protocol):
    """The operator's choice for some titles."""

    def target(self, name: LanguageTitle) -> str | None:
        """Return a language or a runtime's base URL. None: no choice was made."""


class Discovery(Protocol):
    """Runtimes that are discovered while the process runs."""

    #: Whether the first list of runtimes is complete.
    complete: bool

    def addresses(self) -> Addresses:
        """Return the base URLs of ready runtimes by language."""


class RuntimeSelector:
    """Chooses the runtime for a title.

    Args:
        addresses: the configured base URLs by language.
        mappings: takes precedence over the runtimes of the title's language.
        discovery: takes precedence over `addresses`.
    """

    def __init__(
        self,
        addresses: Mapping[str, Sequence[str]],
        mappings: Mappings | None = None,
        discovery: Discovery | None = None,
    ) -> None:
        self._fixed = {
            language: tuple(url.rstrip("/") for url in urls) for language, urls in addresses.items()
        }
        self._all_fixed = _with_dialects(self._fixed)
        self._mappings = mappings
        self._discovery = discovery

    def route(self, name: LanguageTitle) -> RuntimeRoute:
        """Return the runtime for `name`.

        Raises:
            NotFound: no runtime serves the language.
            RuntimeUnavailable: the language's runtimes are away, or not discovered yet.
        """
        target = (self._mappings and self._mappings.target(name)) or name.language
        if "://" in target:
            return RuntimeRoute(name.language, (target,))
        addresses = self.addresses().get(target)
        if addresses:
            return RuntimeRoute(target, addresses)
        if addresses is None and (self._discovery is None or self._discovery.complete):
            raise NotFound(f"there is no runtime for the language {target}")
        raise RuntimeUnavailable(f"the runtimes for the language {target} are away")

    def addresses(self) -> Addresses:
        """Return the base URLs of every served language."""
        if self._discovery is None:
            return self._all_fixed
        return _with_dialects({**self._fixed, **self._discovery.addresses()})


def _with_dialects(addresses: Addresses) -> Addresses:
    shared = {dialect: addresses[other] for dialect, other in DIALECTS.items() if other in addresses}
    return {**shared, **addresses}
