"""Masker: removes secrets from everything that is logged (specification 8).

A secret is recognised by its key or by its form. Keys are compared by their words: case, and `-`, `_`, `.` and spaces
between words, make no difference. So `api_key` covers `X-Api-Key` and `apiKey`.

- A key that *ends* with a name (`token`, `access_token`, `password2`) hides its value of any type.
- A key that only *contains* one (`tokens_used`, `password_confirmation`) hides texts, lists and objects, and leaves
  numbers, booleans and null: token counts are common and a number is rarely a secret. `secretary: "Ann"` is hidden,
  too: a missing text in a log does less harm than a logged password.

Unparsed JSON (`msgspec.Raw`) is parsed only if a cheap search finds a possible secret. Most texts have none.

Texts are searched for the same keys before `=` or `:`, as in queries, headers, JSON, tracebacks and source
(`password: &str = "..."`), for bearer tokens, JSON Web Tokens, API keys of this service and the password of a URL.
Not found: a secret that is itself a key, or `{"name": "password", "value": ...}`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

import re2

from controller.observability.shortened import shortened

MASK = "***"
#: Longest text in which each sign of a secret is looked for separately, in characters.
SHORT = 1000
#: Longest document that is logged by default, in bytes.
DOCUMENT_MAX = 64 * 1024
DEEP = "[nested too deeply to be logged]"
UNREADABLE = "[cannot be read, and is not logged]"
#: Most levels of a document. Requests have at most 100; each level takes three of Python's 1000 frames.
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
#: Headers with a value that extends to the end of the line.
LINE_KEYS = ("authorization", "cookie")
#: Signs of a secret without a key, in lower case.
FORMS = ("bearer", "eyj", "://", "lmk_")

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
#: In source code, after a colon: the type of the key, then its value.
DECLARED = rf"{TYPE}[ \t]{{0,8}}=(?![=>])[ \t]{{0,8}}(?:\w{{1,16}}+\()?(?:{QUOTED}|{BARE})"
#: Separators of key and value, of scheme and token, and of the parts of a JSON Web Token.
SEPARATOR = re.compile(r"[:=. \t]")
OPENING_QUOTE = re.compile(r"\\?[\"']")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?|true|false|null|none", re.IGNORECASE)
BEARER = re.compile(r"\b(bearer)[ \t]{1,8}[\w.~+/=-]++", re.IGNORECASE)
JSON_WEB_TOKEN = re.compile(r"\beyJ[\w-]{4,}+\.[\w-]++(?:\.[\w-]*+)?")
API_KEY = re.compile(r"lmk_[0-9A-Za-z]{8,}+")
URL_PASSWORD = re.compile(r"(://[^/\s:@\"']{0,128}:)[^/\s@\"']++(?=@)")


class Masker:
    """Removes secrets from documents and texts.

    Args:
        keys: names of keys that hold secrets. Words are separated by `_` or `-`.
        most: longest document that is logged, in bytes of JSON, see `controller.observability.shortened`.
    """

    def __init__(self, keys: Iterable[str], most: int = DOCUMENT_MAX) -> None:
        self._most = most
        words = sorted({tuple(re.split(r"[-_. ]+", key.strip().lower())) for key in keys})
        # Every text with a secret contains one of these. Most texts contain none, and the check is cheap.
        self._traces = (*(parts[0] for parts in words if len(parts) == 1), *FORMS)
        self._compounds = [(parts[-1], parts[:-1]) for parts in words if len(parts) > 1]
        escapes = r"\\(?:/|u00[2-7])" if all(map(str.isascii, chain(*words))) else r"\\[/u]"
        self._escaped = re.compile(escapes)
        traces = (*map(re2.escape, (*self._traces, *(last for last, _ in self._compounds))), escapes)
        # Finds in one pass whether a text has any of these. The loops of `_suspect` are faster for a short text.
        self._any_trace = re2.compile("|".join(traces), _any_case())
        names = "|".join(WORD_GAP.join(map(re.escape, parts)) for parts in words) or r"(?!)"
        lines = "|".join(LINE_KEYS)
        # The text is lowered before. IGNORECASE would take ten times as long.
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
        """Return the masked JSON texts of documents. Parts that are too long are left out.

        `msgspec.Raw` in them is parsed only if it may hold a secret.
        """
        written = [self._written(document) for document in documents]
        if not self._suspect("\n".join(written)):
            return written
        return [self._masked(text) if self._suspect(text) else text for text in written]

    def document(self, document: Any, depth: int = 0) -> Any:
        """Return a masked copy. Levels below MAX_DEPTH are left out."""
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
        """Return the masked text."""
        if (SEPARATOR.search(text) is None and "lmk_" not in text) or not self._suspect(text):
            return text
        text = BEARER.sub(rf"\1 {MASK}", text)
        text = JSON_WEB_TOKEN.sub(MASK, text)
        text = API_KEY.sub(MASK, text)
        text = URL_PASSWORD.sub(rf"\1{MASK}", text)
        return "".join(self._parts(text))

    def _parts(self, text: str) -> Iterator[str]:
        """Yield the text in pieces, with the values of secret keys masked."""
        # A capital I with a dot is the only letter that grows in lower case. Positions must stay the same.
        lowered = text.replace("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "I").lower()
        done = 0
        while name := self._name.search(lowered, done):
            found = self._assignment.match(text, name.start())
            yield text[done : name.start()]
            yield self._hidden(found) if found else text[name.start() : name.end()]
            done = found.end() if found else name.end()
        yield text[done:]

    def _suspect(self, text: str) -> bool:
        if len(text) > SHORT and self._any_trace.search(text) is None:
            return False
        lowered = text.lower()
        # Plain loops, since this is the hot path: `any` with a generator takes half as long again.
        for trace in self._traces:
            if trace in lowered:
                return True
        for last, others in self._compounds:
            if last in lowered and all(word in lowered for word in others):
                return True
        # JSON may escape any letter and the slash.
        return self._escaped.search(lowered) is not None

    def _written(self, document: Any) -> str:
        try:
            return shortened(document, self._most).decode("utf-8", "replace")
        except RecursionError:
            return json.dumps(DEEP)

    def _masked(self, written: str) -> str:
        """Return a masked JSON text."""
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
        """Return which values a key hides: `all`, `texts` or None."""
        if self._at_end.search(key):
            return "all"
        return "texts" if self._anywhere.search(key) else None

    def _hidden(self, found: re.Match[str]) -> str:
        """Return the assignment with MASK as its value, in the original quotes."""
        value = found["value"]
        if NUMBER.fullmatch(value) and self._hides(found["name"] + found["more"]) == "texts":
            return found[0]
        quote = OPENING_QUOTE.match(value)
        mark = quote[0] if quote else ""
        return f"{found['key']}{mark}{MASK}{mark if value.endswith(mark) else ''}"


def _any_case() -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    return options


DEFAULT_MASKER = Masker(MASK_KEYS)
