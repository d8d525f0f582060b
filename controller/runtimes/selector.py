"""RuntimeSelector: which runtime serves a Language-Title (specification 4.4).

In this order: an entry of the mappings file; the language's runtimes found in Kubernetes; those of RUNTIME_URLS.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from controller.errors import NotFound, RuntimeUnavailable
from controller.models.registered import LanguageTitle

#: Language to base URLs, without a slash at their ends; none: it is known, and nobody serves it now.
Addresses = Mapping[str, tuple[str, ...]]


class Route(Struct, frozen=True):
    """Where a script goes. Any of the addresses will do."""

    #: What the runtime calls its language.
    language: str
    addresses: tuple[str, ...]


class Mappings(Protocol):
    """An operator's choice for some titles."""

    def target(self, name: LanguageTitle) -> str | None:
        """A language, or a runtime's base URL; None: no choice was made."""


class Discovery(Protocol):
    """Runtimes that come and go."""

    #: Whether all of them are known by now.
    complete: bool

    def addresses(self) -> Addresses: ...


class RuntimeSelector:
    """Picks a runtime's addresses.

    Args:
        addresses: language to base URLs, fixed.
        mappings: comes before the languages' own runtimes.
        discovery: comes before `addresses`.
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
        self._mappings = mappings
        self._discovery = discovery

    def route(self, name: LanguageTitle) -> Route:
        """Where the scripts called `name` run.

        Raises:
            NotFound: no runtime serves the language.
            RuntimeUnavailable: those that do are not there at the moment, or not known yet.
        """
        target = (self._mappings and self._mappings.target(name)) or name.language
        if "://" in target:
            return Route(name.language, (target,))
        addresses = self.addresses().get(target)
        if addresses:
            return Route(target, addresses)
        if addresses is None and (self._discovery is None or self._discovery.complete):
            raise NotFound(f"there is no runtime for the language {target}")
        raise RuntimeUnavailable(f"the runtimes for the language {target} are away")

    def addresses(self) -> Addresses:
        """Every language that is served, with its runtimes' base URLs."""
        return self._fixed if self._discovery is None else {**self._fixed, **self._discovery.addresses()}
