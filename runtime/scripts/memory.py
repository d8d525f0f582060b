"""The scripts that a runtime keeps in memory, by hash and options, within a bound."""

from collections import OrderedDict

from runtime.languages.base import Script


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
