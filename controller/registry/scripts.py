"""Scripts and their compiled artifacts, looked up in the cache, then in PostgreSQL."""

import base64
from typing import Protocol

from controller.cache.manager import CacheManager
from controller.errors import StoreUnavailable
from controller.models.registered import ArtifactKey, Session


class ScriptRows(Protocol):
    """Where scripts and artifacts last. Every method raises StoreUnavailable while it is away."""

    def script(self, script_hash: str) -> str | None:
        """Return a script's text."""

    def artifact(self, key: ArtifactKey) -> bytes | None:
        """Return a compiled artifact."""


class ScriptStore:
    """What a runtime may ask for: the text of a script, or what was compiled from it."""

    def __init__(self, cache: CacheManager, rows: ScriptRows) -> None:
        self._cache = cache
        self._rows = rows

    def material(self, session: Session) -> dict[str, str]:
        """What the runtime needs to run the session: its script, and its artifact where there is one.

        A runtime that takes the artifact need not compile; one with another secret or toolchain takes the script.

        Raises:
            StoreUnavailable: neither cache nor PostgreSQL can give it now.
        """
        material = {"script_content": self._script(session.script_hash)}
        artifact = self.artifact(session.artifact_key) if session.compile_status is not None else None
        if artifact is not None:
            material["artifact"] = base64.b64encode(artifact).decode()
        return material

    def artifact(self, key: ArtifactKey) -> bytes | None:
        """A compiled artifact, if one was made before. An unreachable PostgreSQL counts as none."""
        kept = self._cache.artifact(key)
        if kept is not None:
            return kept
        try:
            artifact = self._rows.artifact(key)
        except StoreUnavailable:
            return None
        if artifact is not None:
            self._cache.put_artifact(key, artifact)
        return artifact

    def _script(self, script_hash: str) -> str:
        kept = self._cache.script(script_hash)
        if kept is not None:
            return kept
        content = self._rows.script(script_hash)
        if content is None:
            # The session began while PostgreSQL was away, and its rows still wait in a queue.
            raise StoreUnavailable("the script is not written yet")
        self._cache.put_script(script_hash, content)
        return content
