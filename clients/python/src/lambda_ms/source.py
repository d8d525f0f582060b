"""A function as files: the script, what it says about itself, and `function.toml` beside it."""

import ast
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: The languages, by the suffix of a script's name.
LANGUAGES: Mapping[str, str] = {
    ".py": "python",
    ".js": "nodejs",
    ".mjs": "nodejs",
    ".cjs": "nodejs",
    ".ts": "typescript",
    ".rs": "rust",
}
#: The file beside a script that says what the script does not.
SETTINGS = "function.toml"
#: What it may have: `name` and `script` are for this package, the rest is the service's.
_FIELDS = ("description", "tags", "schema", "enforce_result", "examples", "packages")
_DEFAULTS = ("timeout_ms", "isolation", "cache_ttl", "context", "compile_options")
_BLOCK = re.compile(r"(?m)^# /// script\s*$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
_COMMENTS = {
    "rust": re.compile(r"\A\s*((?://!.*\n)+)"),
    "nodejs": re.compile(r"\A\s*/\*\*(.*?)\*/", re.DOTALL),
}


class SourceError(Exception):
    """A script or its `function.toml` cannot be used. The message names the file."""


@dataclass(frozen=True)
class Source:
    """A function as its files have it.

    Args:
        path: the script.
        language_title: the function's name.
        document: what the service is sent.
        packages: what a Python script declares in its PEP 723 block.
    """

    path: Path
    language_title: str
    document: Mapping[str, Any]
    packages: tuple[str, ...] = ()

    @property
    def script(self) -> str:
        """The script's text."""
        return str(self.document["script_content"])


def read_source(path: Path) -> Source:
    """Read a script and what is said about it. Raises SourceError."""
    language = LANGUAGES.get(path.suffix)
    if language is None:
        raise SourceError(f"{path}: the suffix names no language; known are {', '.join(LANGUAGES)}")
    script = _text(path)
    settings = _settings(path)
    packages = _declared(path, script) if language == "python" else ()
    document: dict[str, Any] = {"script_content": script}
    if description := _description(language, script):
        document["description"] = description
    document |= {name: settings[name] for name in _FIELDS if name in settings}
    if defaults := {name: settings[name] for name in _DEFAULTS if name in settings}:
        document["defaults"] = defaults
    return Source(path, f"{language}-{settings.get('name', path.stem)}", document, packages)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SourceError(f"{path}: {reason}") from error


def _settings(script: Path) -> Mapping[str, Any]:
    """Return what `function.toml` says; nothing if there is none, or if it is another script's."""
    path = script.parent / SETTINGS
    if not path.is_file():
        return {}
    try:
        settings = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise SourceError(f"{path}: {error}") from error
    if settings.get("script", script.name) != script.name:
        return {}
    if unknown := settings.keys() - {"name", "script", *_FIELDS, *_DEFAULTS}:
        raise SourceError(f"{path}: unknown: {', '.join(sorted(unknown))}")
    return settings


def _declared(path: Path, script: str) -> tuple[str, ...]:
    """Return the dependencies of a PEP 723 block. The service reads them itself; here an error is told sooner."""
    blocks = list(_BLOCK.finditer(script))
    if len(blocks) > 1:
        raise SourceError(f"{path}: more than one `# /// script` block")
    if not blocks:
        return ()
    lines = blocks[0]["content"].splitlines()
    try:
        block = tomllib.loads("\n".join(line[2:] for line in lines))
    except tomllib.TOMLDecodeError as error:
        raise SourceError(f"{path}: in the `# /// script` block: {error}") from error
    return tuple(str(each) for each in block.get("dependencies", ()))


def _description(language: str, script: str) -> str:
    """Return the first paragraph of the text that a script begins with, on one line."""
    if language == "python":
        try:
            text = ast.get_docstring(ast.parse(script)) or ""
        except (SyntaxError, ValueError):  # the service says where
            return ""
    else:
        found = _COMMENTS["rust" if language == "rust" else "nodejs"].match(script)
        lines = found[1].splitlines() if found else []
        text = "\n".join(re.sub(r"^\s*(//!|\*)? ?", "", line) for line in lines).strip()
    return " ".join(text.split("\n\n")[0].split())
