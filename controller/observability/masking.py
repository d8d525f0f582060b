"""Masking: secrets are taken out of what is logged, whoever put them there (specification 8).

A value is a secret by its key, or by its form. A key is told by its name alone: case, and `-`, `_`, `.` and spaces
between words, make no difference, so that `api_key` covers `X-Api-Key` and `apiKey`.

- A key that *ends* with a name (`token`, `access_token`, `password2`) hides its value, whatever that is.
- A key that only *contains* one (`tokens_used`, `password_confirmation`) hides texts, lists and objects, and leaves
  numbers, booleans and null: counting tokens is common, and a number there is rarely a secret. `secretary: "Ann"` is
  hidden too: a text too few in a log is a small loss, a password in it is not.

JSON text that nobody has read (`msgspec.Raw`) is read here only where it may hold a secret: looking for that is
cheap, and most texts hold none.

Texts are searched for the same keys before `=` or `:`, as in queries, headers, JSON, tracebacks and source
(`password: &str = "..."`), for bearer tokens, JSON Web Tokens and the password of a URL. Not found: a secret as
another's key, or `{"name": "password", "value": ...}`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

from controller.json_codec import dumps

MASK = "***"
DEEP = "[nested too deeply to be logged]"
UNREADABLE = "[cannot be read, and is not logged]"
#: Levels of a document; requests have at most 100, and each one here takes three of Python's 1000 frames.
MAX_DEPTH = 120
MASK_KEYS = (
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "jwt",
    "api_key",
    "access_key",
    "private_key",
    "credential",
    "authorization",
    "cookie",
)
#: Headers: all the rest of the line is their value.
LINE_KEYS = ("authorization", "cookie")
#: What a secret without a key looks like, in lower case.
FORMS = ("bearer", "eyj", "://")

# Every repetition is bounded or possessive: a text of megabytes takes linear time.
WORD_GAP = r"[-_. ]?"
AFTER_KEY = r"\\{0,3}[\"']?\]?[ \t]{0,8}(?:=>|(?P<colon>:)|=)[ \t]{0,8}"
#: A quoted text inside a quoted text.
ESCAPED = r"""\\"(?:[^"\\]|\\\\\\?.|\\[^"\\])*+(?:\\")?"""
QUOTED = r""""(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?"""
BARE = r"""[^\s,;&"'<>(){}\[\]\\]++"""
TYPE = (
    r"(?:&(?:'\w{1,16}+[ \t])?(?:mut[ \t])?)?[A-Za-z_][\w.:]{0,64}+"
    r"(?:[<\[][\w.,:&'<>\[\] \t]{0,64}[>\]])?"
)
#: In source, after a colon: the key's type, and only then its value.
DECLARED = rf"{TYPE}[ \t]{{0,8}}=(?![=>])[ \t]{{0,8}}(?:\w{{1,16}}+\()?(?:{QUOTED}|{BARE})"
#: A key and its value, a scheme and its token, the parts of a JSON Web Token: one of these is between them.
SEPARATOR = re.compile(r"[:=. \t]")
OPENING_QUOTE = re.compile(r"\\?[\"']")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?|true|false|null|none", re.IGNORECASE)
BEARER = re.compile(r"\b(bearer)[ \t]{1,8}[\w.~+/=-]++", re.IGNORECASE)
JSON_WEB_TOKEN = re.compile(r"\beyJ[\w-]{4,}+\.[\w-]++(?:\.[\w-]*+)?")
URL_PASSWORD = re.compile(r"(://[^/\s:@\"']{0,128}:)[^/\s@\"']++(?=@)")


class Masker:
    """Takes secrets out of documents and texts.

    Args:
        keys: names of keys that hold secrets, words separated by `_` or `-`.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        words = sorted({tuple(re.split(r"[-_. ]+", key.strip().lower())) for key in keys})
        # What must be in a text for a secret to be in it: most texts have none of it, and that is cheap to see.
        self._traces = (*(parts[0] for parts in words if len(parts) == 1), *FORMS)
        self._compounds = [(parts[-1], parts[:-1]) for parts in words if len(parts) > 1]
        escapes = r"\\(?:/|u00[2-7])" if all(map(str.isascii, chain(*words))) else r"\\[/u]"
        self._escaped = re.compile(escapes)
        names = "|".join(WORD_GAP.join(map(re.escape, parts)) for parts in words) or r"(?!)"
        lines = "|".join(LINE_KEYS)
        # Without IGNORECASE, which costs tenfold: it looks at a text in lower case.
        self._name = re.compile(names)
        self._anywhere = re.compile(names, re.IGNORECASE)
        self._at_end = re.compile(rf"(?:{names})[0-9_. -]*$", re.IGNORECASE)
        self._assignment = re.compile(
            rf"(?P<key>(?P<name>(?P<line>{lines})|{names})(?P<more>[\w.-]{{0,64}}+){AFTER_KEY})"
            rf"(?P<value>{ESCAPED}|{QUOTED}|(?(line)[^\r\n]++|(?:(?(colon){DECLARED}|(?!))|{BARE})))",
            re.IGNORECASE,
        )
        self._hides: Callable[[str], str | None] = lru_cache(4096)(self._told)

    def json(self, *documents: Any) -> list[str]:
        """The JSON texts of documents, without their secrets. `msgspec.Raw` in them is read only on suspicion."""
        written = [_written(document) for document in documents]
        if not self._suspect("\n".join(written)):
            return written
        return [self._masked(text) if self._suspect(text) else text for text in written]

    def document(self, document: Any, depth: int = 0) -> Any:
        """A copy without secrets; what lies deeper than MAX_DEPTH is left out."""
        if isinstance(document, str):
            return self.text(document)
        if not isinstance(document, dict | list | tuple):
            return document
        if depth >= MAX_DEPTH:
            return DEEP
        if isinstance(document, dict):
            return {key: self._member(key, value, depth + 1) for key, value in document.items()}
        return [self.document(item, depth + 1) for item in document]

    def text(self, text: str) -> str:
        """A text without secrets."""
        if SEPARATOR.search(text) is None or not self._suspect(text):
            return text
        text = BEARER.sub(rf"\1 {MASK}", text)
        text = JSON_WEB_TOKEN.sub(MASK, text)
        text = URL_PASSWORD.sub(rf"\1{MASK}", text)
        return "".join(self._parts(text))

    def _parts(self, text: str) -> Iterator[str]:
        """The text in pieces, the values of its keys masked."""
        # A capital I with a dot is the one letter that grows in lower case; places must stay the same.
        lowered = text.replace("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "I").lower()
        done = 0
        while name := self._name.search(lowered, done):
            found = self._assignment.match(text, name.start())
            yield text[done : name.start()]
            yield self._hidden(found) if found else text[name.start() : name.end()]
            done = found.end() if found else name.end()
        yield text[done:]

    def _suspect(self, text: str) -> bool:
        lowered = text.lower()
        # Plain loops: generators for `any` take half as long again, and every call comes here.
        for trace in self._traces:
            if trace in lowered:
                return True
        for last, others in self._compounds:
            if last in lowered and all(word in lowered for word in others):
                return True
        # JSON may write any letter, and a slash, in another way.
        return self._escaped.search(lowered) is not None

    def _masked(self, written: str) -> str:
        """A JSON text that may hold secrets, without them."""
        try:
            return json.dumps(self.document(json.loads(written)), allow_nan=False)
        except RecursionError:
            return json.dumps(DEEP)
        except ValueError:
            return json.dumps(UNREADABLE)

    def _member(self, key: Any, value: Any, depth: int) -> Any:
        hides = self._hides(str(key)[-128:])
        if hides == "all" or (hides == "texts" and isinstance(value, str | list | tuple | dict)):
            return MASK
        return self.document(value, depth)

    def _told(self, key: str) -> str | None:
        """What a key of this name hides: `all`, `texts` or nothing."""
        if self._at_end.search(key):
            return "all"
        return "texts" if self._anywhere.search(key) else None

    def _hidden(self, found: re.Match[str]) -> str:
        """The assignment with MASK for its value, between the quotes that were there."""
        value = found["value"]
        if NUMBER.fullmatch(value) and self._hides(found["name"] + found["more"]) == "texts":
            return found[0]
        quote = OPENING_QUOTE.match(value)
        mark = quote[0] if quote else ""
        return f"{found['key']}{mark}{MASK}{mark if value.endswith(mark) else ''}"


def _written(document: Any) -> str:
    try:
        return dumps(document).decode("utf-8", "replace")
    except RecursionError:
        return json.dumps(DEEP)


DEFAULT_MASKER = Masker(MASK_KEYS)
