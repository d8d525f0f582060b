"""RuntimeSelector: the prefix rule."""

import pytest

from controller.errors import NotFound
from controller.models import LanguageTitle
from controller.selector import RuntimeSelector

SELECTOR = RuntimeSelector({"python": "http://one:1/", "nodejs": "http://two"})


def test_the_prefix_decides() -> None:
    assert SELECTOR.address(LanguageTitle("python", "rust-like")) == "http://one:1"
    assert SELECTOR.address(LanguageTitle("nodejs", "x")) == "http://two"


def test_a_language_that_nobody_serves_is_not_found() -> None:
    with pytest.raises(NotFound, match="rust"):
        SELECTOR.address(LanguageTitle("rust", "x"))
