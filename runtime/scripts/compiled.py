"""Scripts in the memory of the runtime, and their compiled forms."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple

from gevent.event import Event

from runtime.errors import InvalidRequest, ScriptNeeded
from runtime.languages.base import Host, Language, Script
from runtime.metrics import RuntimeMetrics


class ScriptStore:
    """Keeps the scripts that were used last, together at most `max_bytes`, and always the newest one."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._scripts: OrderedDict[tuple[str, str], Script] = OrderedDict()

    def get(self, script_hash: str, options: str) -> Script | None:
        """Return a script, or None if it is not kept."""
        script = self._scripts.get((script_hash, options))
        if script is not None:
            self._scripts.move_to_end((script_hash, options))
        return script

    def put(self, script: Script) -> None:
        """Keep a script, and drop the ones used least recently if there is no room."""
        key = (script.hash, script.options)
        if replaced := self._scripts.pop(key, None):
            self._size -= replaced.size
        self._scripts[key] = script
        self._size += script.size
        while self._size > self._max_bytes and len(self._scripts) > 1:
            _, dropped = self._scripts.popitem(last=False)
            self._size -= dropped.size


class ScriptReference(NamedTuple):
    """The script that a request names, and its content or artifact if the controller sent one."""

    #: The name in the path of the call, which may be a dialect of the runtime's language.
    language: str
    tenant: str
    script_hash: str
    compile_options: Mapping[str, Any]
    script_content: str | None = None
    artifact: bytes | None = None
    #: Digest of the environment with its packages; empty if it has none.
    environment: str = ""


class CompiledScripts:
    """The scripts of one language, each compiled once.

    Args:
        language: The language.
        host: The host that the language compiles with.
        store: Keeps the scripts in memory.
        metrics: Record the time of each compilation.
    """

    def __init__(self, language: Language, host: Host, store: ScriptStore, metrics: RuntimeMetrics) -> None:
        self._language = language
        self._host = host
        self._store = store
        self._metrics = metrics
        self._compiling: dict[tuple[str, str], Event] = {}

    def compiled(self, reference: ScriptReference) -> tuple[Script, bool]:
        """Return the script, ready to load, and whether it was ready before.

        Requests for a script that is being compiled wait for that compilation.

        Raises:
            ScriptNeeded: The script is unknown, and the request has neither its content nor its artifact.
            InvalidRequest: The content does not have the given hash.
            InitializationFailed: The script does not compile.
        """
        options = self._language.options(reference.language, reference.compile_options)
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
        while running := self._compiling.get(key):
            running.wait()
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
