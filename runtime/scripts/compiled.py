"""Scripts on their way from what the controller sends to what a worker loads."""

import hashlib
from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple

from gevent.event import Event

from runtime.errors import InvalidRequest, ScriptNeeded
from runtime.languages.base import Host, Language, Script
from runtime.metrics import RuntimeMetrics
from runtime.scripts.memory import ScriptStore


class ScriptReference(NamedTuple):
    """Which script a request means, and the script itself when the controller sent it along."""

    tenant: str
    script_hash: str
    compile_options: Mapping[str, Any]
    script_content: str | None = None
    artifact: bytes | None = None


class CompiledScripts:
    """The scripts of one language, each compiled once.

    Args:
        host: what the language compiles with.
        store: keeps them in memory.
    """

    def __init__(self, language: Language, host: Host, store: ScriptStore, metrics: RuntimeMetrics) -> None:
        self._language = language
        self._host = host
        self._store = store
        self._metrics = metrics
        self._compiling: dict[tuple[str, str], Event] = {}

    def compiled(self, reference: ScriptReference) -> tuple[Script, bool]:
        """The script ready to load, and whether it was so before. Twins wait for the one that compiles.

        Raises ScriptNeeded, InvalidRequest, InitializationFailed.
        """
        options = self._language.options(reference.compile_options)
        if reference.script_content is not None:
            _check_hash(reference.script_content, reference.script_hash)
        if known := self._store.get(reference.script_hash, options):
            return known, True
        return self._ready(self._script(reference, options))

    def _script(self, reference: ScriptReference, options: str) -> Script:
        if known := self._language.recall(reference.script_hash, options):
            return known
        if reference.script_content is None and reference.artifact is None:
            raise ScriptNeeded("this runtime does not hold the script")
        return Script(reference.script_hash, options, reference.script_content, reference.artifact)

    def _known(self, script_hash: str, options: str) -> Script | None:
        return self._store.get(script_hash, options) or self._language.recall(script_hash, options)

    def _ready(self, script: Script) -> tuple[Script, bool]:
        key = (script.hash, script.options)
        while twin := self._compiling.get(key):
            twin.wait()
        if known := self._known(*key):
            self._store.put(known)
            return known, True
        done = self._compiling[key] = Event()
        started = perf_counter()
        try:
            compiled = self._language.compile(script, self._host)
        finally:
            del self._compiling[key]
            done.set()
        if compiled.artifact is not None and script.artifact is None:
            self._metrics.compiled(perf_counter() - started)
        self._store.put(compiled)
        return compiled, compiled.artifact is not None and compiled.artifact == script.artifact


def _check_hash(content: str, script_hash: str) -> None:
    try:
        actual = hashlib.sha256(content.encode()).hexdigest()
    except UnicodeEncodeError as error:
        raise InvalidRequest("script_content is not valid Unicode") from error
    if actual != script_hash:
        raise InvalidRequest("script_hash is not the SHA-256 of script_content")
