"""Finds the `npm:` specifiers of a script in JavaScript or TypeScript, without parsing the language.

The scanner knows comments, strings, templates and regular expressions, so that it takes no text for an import. Where
a slash may be a division or begin a regular expression, the token before it decides, as highlighters do it.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from controller.declarations.found import Found, Pause, Wrong
from controller.declarations.names import npm_package

PREFIX = "npm:"
#: Linear: each alternative takes as much as it can, and what ends it may be absent. So nothing is read twice.
#: Groups are not possessive: Python before 3.11.5 has those wrong.
_TOKEN = re.compile(
    r"""
      (?P<blank>(?:\s++|//[^\n]*+|/\*(?:[^*]|\*(?!/))*(?:\*/)?)+)
    | (?P<string>"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)
    | (?P<word>[\w$\#@]++)
    | (?P<step>\+\++|--++)
    | (?P<mark>[;,:?=<>!&|^~+*%-]++|\.\.\.|.)
    """,
    re.VERBOSE | re.DOTALL,
)
#: The text of a template up to its end or to an expression in it.
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(`|\$\{|\\?\Z)", re.DOTALL)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n])*\]?)*/?")
#: After these words an expression begins, and so may a regular expression.
_OPERATORS = frozenset(
    ("return", "typeof", "instanceof", "in", "of", "new", "delete", "void", "throw", "case", "do", "else", "yield",
     "await", "default", "extends")
)  # fmt: skip
#: A slash after their parentheses begins a regular expression.
_HEADS = frozenset(("if", "while", "for", "with"))
#: Words that end what may be `import … from` or `export … from`.
_DECLARATIONS = frozenset(
    ("const", "let", "var", "function", "class", "default", "async", "enum", "interface", "namespace", "declare",
     "abstract")
)  # fmt: skip
#: What comes before the string of a call that imports.
_CALLS = (("(", "import"), ("(", "require"))
#: The marks between the names of an import.
_LISTS = frozenset("{},*")
#: Tokens between two pauses: a few milliseconds.
PAUSE_EVERY = 5000
#: Most characters of a specifier.
SPECIFIER_MAX = 1024


class _Token(NamedTuple):
    kind: str
    text: str
    offset: int


_NONE = _Token("none", "", 0)


def read(script: str, pause: Pause) -> Found | None:
    """Return the packages of all specifiers. None: there is none. Raises Wrong."""
    if PREFIX not in script:
        return None
    found: dict[str, int] = {}
    ranges: dict[str, str] = {}
    for specifier in _specifiers(script, pause):
        text = specifier.text[1:-1]
        if text.startswith(PREFIX):
            package = _package(text, specifier.offset)
            found.setdefault(package, specifier.offset)
    for package, offset in found.items():
        name, at, versions = package[1:].partition("@")
        if at and ranges.setdefault(package[0] + name, versions) != versions:
            raise Wrong(f"{package[0]}{name} is imported in two ranges of versions", offset)
    # An import without a range takes what another one asks for.
    packages = [(package, place) for package, place in found.items() if package not in ranges]
    return Found(packages) if packages else None


def _package(text: str, offset: int) -> str:
    """Return the package of a specifier `npm:name@range/path`. Raises Wrong."""
    inside = text.removeprefix(PREFIX)
    parts = inside.split("/")
    named = "/".join(parts[: 2 if inside.startswith("@") else 1])
    try:
        if len(text) > SPECIFIER_MAX or "\\" in text or not named:
            raise ValueError(f"a specifier is `{PREFIX}name@range/path`")
        return npm_package(named)
    except ValueError as error:
        raise Wrong(str(error), offset) from error


def _specifiers(script: str, pause: Pause) -> Iterator[_Token]:
    """Yield the strings that name modules, in the order of the script."""
    third = second = first = _NONE
    clause = ""
    for number, token in enumerate(_Scanner(script)):
        if number % PAUSE_EVERY == 0:
            pause()
        if token.kind == "string":
            if first.text == "import" or (first.text == "from" and clause == "value"):
                yield token
        elif token.text[0] in ")," and first.kind == "string" and (second.text, third.text) in _CALLS:
            yield first
        clause = _clause(clause, first, token)
        third, second, first = second, first, token


def _clause(clause: str, before: _Token, token: _Token) -> str:
    """Return what may become `import … from`: value, type, `type?` until the next token decides, or nothing."""
    if token.text in ("import", "export"):
        return "value"
    if clause and token.text == "type" and before.text in ("import", "export"):
        return "type?"
    if token.kind == "word" and token.text not in _DECLARATIONS:
        # `import type from "x"` imports a value of that name.
        return clause if clause != "type?" else "value" if token.text == "from" else "type"
    if token.kind == "mark" and set(token.text) <= _LISTS:
        return clause if clause != "type?" else "value" if token.text[0] == "," else "type"
    return clause if token.kind == "string" and before.text in ("{", ",", "as") else ""


class _Scanner:
    """Yields what is neither blank nor a comment. Templates and regular expressions are tokens of kind `literal`."""

    def __init__(self, script: str) -> None:
        self._script = script
        self._at = script.find("\n") if script.startswith("#!") else 0
        #: Whether a slash would begin a regular expression.
        self._regex = True
        #: Of open parentheses: whether a regular expression may follow. Of open braces: whether a template goes on.
        self._rounds: list[bool] = []
        self._braces: list[bool] = []

    def __iter__(self) -> Iterator[_Token]:
        before = _NONE
        while 0 <= self._at < len(self._script):
            found = _TOKEN.match(self._script, self._at)
            if found is None:
                raise AssertionError("each character is a token")
            self._at = found.end()
            if found.lastgroup != "blank":
                before = self._known(_Token(found.lastgroup or "", found[0], found.start()), before)
                yield before

    def _known(self, token: _Token, before: _Token) -> _Token:
        """Return a token as its place makes it, and keep what follows from it."""
        kind, text, offset = token
        if text == "`" or (text == "}" and self._braces and self._braces.pop()):
            self._regex = self._skip(_TEMPLATE, self._at) == "${"
            if self._regex:
                self._braces.append(True)
            return _Token("literal", "`", offset)
        if text == "/" and self._regex:
            self._skip(_REGEX, offset)
            self._regex = False
            return _Token("literal", "/", offset)
        if kind == "word" and before.text == ".":
            # No keyword. With the dot before, it is none of the words that count.
            self._regex = False
            return _Token("property", f".{text}", offset)
        if text == ")":
            self._regex = bool(self._rounds) and self._rounds.pop()
        elif kind != "step":
            self._regex = text in _OPERATORS if kind == "word" else kind == "mark" and text != "]"
        if text == "(":
            self._rounds.append(before.text in _HEADS)
        elif text == "{":
            self._braces.append(False)
        return token

    def _skip(self, pattern: re.Pattern[str], offset: int) -> str | None:
        """Go on after what the pattern finds at an offset. Return its first group, if it has one."""
        found = pattern.match(self._script, offset)
        if found is None:
            return None
        self._at = found.end()
        return found[1] if pattern.groups else None
