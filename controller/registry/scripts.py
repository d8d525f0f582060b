"""ScriptStore: scripts and compiled artifacts, from the cache or from PostgreSQL."""

import base64
from typing import Protocol

from controller.cache.manager import CacheManager
from controller.errors import StoreUnavailable
from controller.models.registered import ArtifactKey, Script, ScriptPayload, Session


class ScriptRows(Protocol):
    """The permanent store of scripts and artifacts. Every method raises StoreUnavailable while it is away."""

    def script(self, script_hash: str) -> str | None:
        """Return a script's text."""

    def artifact(self, key: ArtifactKey) -> bytes | None:
        """Return a compiled artifact."""


class ScriptStore:
    """Finds the scripts and artifacts that a runtime asks for, first in the cache."""

    def __init__(self, cache: CacheManager, rows: ScriptRows) -> None:
        self._cache = cache
        self._rows = rows

    def payload(self, session: Session) -> ScriptPayload:
        """Return what the runtime needs to run the session: its script and, if there is one, its artifact.

        A runtime with another secret or toolchain cannot use the artifact and compiles the script.

        Raises:
            StoreUnavailable: neither the cache nor PostgreSQL has the script now.
        """
        payload: ScriptPayload = {"script_content": self.text(session.script_hash)}
        artifact = self.artifact(session.artifact_key) if session.compile_status is not None else None
        if artifact is not None:
            payload["artifact"] = base64.b64encode(artifact).decode()
        return payload

    def artifact(self, key: ArtifactKey) -> bytes | None:
        """Return a compiled artifact, if there is one. None as well while PostgreSQL is away."""
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

    def keep(self, script: Script, key: ArtifactKey, artifact: bytes | None) -> None:
        """Cache a script and its artifact: a runtime that has just started will ask for them."""
        self._cache.put_script(script.hash, script.content)
        if artifact is not None:
            self._cache.put_artifact(key, artifact)

    def text(self, script_hash: str) -> str:
        """Return the text of a script.

        Raises:
            StoreUnavailable: neither the cache nor PostgreSQL has the script now.
        """
        kept = self._cache.script(script_hash)
        if kept is not None:
            return kept
        content = self._rows.script(script_hash)
        if content is None:
            # The session began while PostgreSQL was away, and its rows are still queued.
            raise StoreUnavailable("the script is not written yet")
        self._cache.put_script(script_hash, content)
        return content
