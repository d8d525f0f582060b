"""MappingsFile: the operator's list of which titles go to which runtime. It is reloaded when it changes."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
import re2
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from configuration.errors import UnusableSetting
from controller.models.registered import LanguageTitle
from framing.place import place_of

log = logging.getLogger(__name__)

VARIABLE = "RUNTIME_MAPPINGS_FILE"
ENTRIES_MAX = 200
PATTERN_MAX_CHARACTERS = 256
#: Most bytes of one pattern's automaton. A larger pattern is refused.
PATTERN_MAX_MEMORY = 1 << 20
#: Seconds between two checks of the file. It is polled, since in a mounted ConfigMap it is a link that changes its
#: target, and a watch on the file does not notice that.
INTERVAL = 1.0


@dataclass(frozen=True, slots=True)
class Mapping:
    """One entry: titles that begin with `pattern`, or fully match it as a regex, go to `target`."""

    pattern: str
    target: str
    #: A pattern of RE2, which matches in linear time.
    regex: Any = None

    def matches(self, title: str) -> bool:
        """Return whether the entry is for this title."""
        return title.startswith(self.pattern) if self.regex is None else bool(self.regex.fullmatch(title))


class MappingsFile:
    """The entries of the file. The first match decides.

    Args:
        path: a JSON list of `{"pattern", "runtime", "is_regex"}`. `runtime` is a language or a runtime's base URL.
            The default of `is_regex` is false.
        interval: seconds between two checks of the file.

    Raises:
        UnusableSetting: the file cannot be read, or an entry is wrong.
    """

    def __init__(self, path: Path, interval: float = INTERVAL) -> None:
        self._path = path
        self._interval = interval
        self._version = _version(path)
        self._mappings = read(path)
        self._follower: gevent.Greenlet[[], None] | None = None

    def target(self, name: LanguageTitle) -> str | None:
        """Return the runtime for `name`: a language or a base URL. None: no entry matches."""
        title = str(name)
        return next((mapping.target for mapping in self._mappings if mapping.matches(title)), None)

    def start(self) -> None:
        """Start following the file. An unusable version is logged, and the entries before it stay."""
        self._follower = gevent.spawn(self._follow)

    def close(self) -> None:
        """Stop following the file."""
        if self._follower is not None:
            self._follower.kill()

    def _follow(self) -> None:
        while True:
            gevent.sleep(self._interval)
            version = _version(self._path)
            if version != self._version:
                self._version = version
                self._reload()

    def _reload(self) -> None:
        try:
            self._mappings = read(self._path)
            log.info("%s: %d entries from now on", VARIABLE, len(self._mappings))
        except UnusableSetting as error:
            log.warning("%s; the entries before it stay", error)


def read(path: Path) -> Sequence[Mapping]:
    """Return the entries of a file.

    Raises:
        UnusableSetting: an entry is wrong. The message has its number, counted from 1.
    """
    try:
        entries = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UnusableSetting(f"{VARIABLE}: {path}: {error}") from error
    if not isinstance(entries, list) or len(entries) > ENTRIES_MAX:
        raise UnusableSetting(f"{VARIABLE}: {path}: must be a list of at most {ENTRIES_MAX} entries")
    return [_mapping(number, entry) for number, entry in enumerate(entries, start=1)]


def _mapping(number: int, entry: object) -> Mapping:
    try:
        loaded = _EntrySchema().load(entry)  # type: ignore[arg-type]
        pattern, target = loaded["pattern"], loaded["runtime"].rstrip("/")
        return Mapping(pattern, target, _compiled(pattern) if loaded["is_regex"] else None)
    except (ValidationError, re2.error) as error:
        reason = error.messages if isinstance(error, ValidationError) else f"pattern: {_text(error)}"
        raise UnusableSetting(f"{VARIABLE}: entry {number}: {reason}") from error


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = PATTERN_MAX_MEMORY
    options.log_errors = False
    return re2.compile(pattern, options)


def _text(error: Exception) -> str:
    reason = error.args[0]
    return reason.decode() if isinstance(reason, bytes) else str(reason)


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_ino, seen.st_size


class _EntrySchema(Schema):
    pattern = fields.String(required=True, validate=validate.Length(1, PATTERN_MAX_CHARACTERS))
    runtime = fields.String(required=True)
    is_regex = fields.Boolean(load_default=False, truthy={True}, falsy={False})

    @validates_schema
    def check_runtime(self, data: dict[str, Any], **_: object) -> None:
        """Check that the runtime is a language or an address."""
        runtime = data["runtime"]
        parts = urlsplit(runtime)
        if not (runtime.isalnum() and runtime.isascii()) and (
            parts.scheme not in {"http", "https"} or not parts.hostname
        ):
            raise ValidationError("is neither a language nor an http address", "runtime")
        try:
            place_of(runtime)
        except ValueError:
            raise ValidationError("names no place of frames after #", "runtime") from None
