"""The languages, by their name in paths and in `Language-Title`."""

from collections.abc import Callable

from runtime.languages.base import Language
from runtime.languages.nodejs import NodeJS
from runtime.languages.python import Python
from runtime.languages.rust.language import Rust
from runtime.settings import Settings

LANGUAGES: dict[str, Callable[[Settings], Language]] = {
    "nodejs": NodeJS,
    "python": Python,
    "rust": Rust,
}
