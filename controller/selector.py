"""RuntimeSelector: which runtime serves a Language-Title (specification 4.4). So far by its prefix."""

from collections.abc import Mapping

from controller.errors import NotFound
from controller.models import LanguageTitle


class RuntimeSelector:
    """Picks a runtime's address.

    Args:
        addresses: language to base URL, without a slash at its end.
    """

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = {language: url.rstrip("/") for language, url in addresses.items()}

    def address(self, name: LanguageTitle) -> str:
        """The base URL of the runtime for `name`.

        Raises:
            NotFound: no runtime serves the language.
        """
        try:
            return self._addresses[name.language]
        except KeyError:
            raise NotFound(f"there is no runtime for the language {name.language}") from None

    def addresses(self) -> Mapping[str, str]:
        """Every language that is served, with its runtime's base URL."""
        return self._addresses
