"""The ids in paths and headers: of functions, their versions and aliases, and of keys."""

import re
from functools import lru_cache

from controller.errors import InvalidRequest, NotFound
from controller.models.registered import FunctionRef, LanguageTitle

LANGUAGE_TITLE = re.compile(r"([a-z][a-z0-9]*)-([A-Za-z0-9][A-Za-z0-9._-]{0,63})", re.ASCII)
LANGUAGE_TITLE_MAX = 128
ALIAS = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
#: What follows the `@` of a reference: the number of a version, or an alias.
SELECTOR = re.compile(rf"[1-9][0-9]{{0,8}}|{ALIAS.pattern}", re.ASCII)
#: Executions by name repeat the same few references.
REFERENCES_REMEMBERED = 10_000
KEY_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def digest(given: str) -> str:
    """Return the digest of an environment from a path.

    Raises:
        NotFound: it cannot be one.
    """
    if not DIGEST.fullmatch(given):
        raise NotFound("there is no such environment")
    return given


def key_id(given: str) -> str:
    """Return the id of an API key from a path.

    Raises:
        NotFound: it cannot be the id of a key.
    """
    if not KEY_ID.fullmatch(given):
        raise NotFound("there is no such key")
    return given


def alias(given: str) -> str:
    """Return an alias from a path. Raises InvalidRequest if it cannot be one."""
    if not ALIAS.fullmatch(given):
        raise InvalidRequest("an alias is a lower-case letter, then up to 31 of a-z0-9-")
    return given


def language_title(given: str) -> LanguageTitle:
    """Parse `<language>-<title>`. Raises InvalidRequest."""
    match = LANGUAGE_TITLE.fullmatch(given)
    if match is None or len(given) > LANGUAGE_TITLE_MAX:
        raise InvalidRequest(
            "Language-Title must be <language>-<title>: a lower-case word, then up to 64 of A-Za-z0-9._-"
        )
    return LanguageTitle(match[1], match[2])


def function_ref(given: str | None) -> FunctionRef:
    """Parse `<language>-<title>`, `<language>-<title>@<version>` or `<language>-<title>@<alias>`.

    Raises:
        InvalidRequest: the text is missing or malformed.
    """
    if given is None:
        raise InvalidRequest("the header Language-Title is missing")
    return _reference(given)


@lru_cache(REFERENCES_REMEMBERED)
def _reference(given: str) -> FunctionRef:
    written, at, selector = given.replace("%40", "@").partition("@")
    name = language_title(written)
    if at and not SELECTOR.fullmatch(selector):
        raise InvalidRequest(
            "@ is followed by a version number or an alias: a lower-case letter, then up to 31 of a-z0-9-"
        )
    return FunctionRef(name, selector)
