"""Environments: what the lock of a script's packages gives on a platform."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from controller.models.registered import canonical

State = Literal["absent", "building", "ready", "failed"]
#: Of the digests of environments. A change gives each environment a new name.
FORMAT = 1
#: A package: `name`, `version`, and once it is built, `bytes` and `licence`.
Package = Mapping[str, Any]


class Resolved(NamedTuple):
    """What a declaration resolves to. `lock` is canonical."""

    lock: str
    version: str
    platform: str
    packages: Sequence[Package]


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment.

    Attributes:
        digest: its name.
        language: the language; TypeScript's is `nodejs`.
        version: the language's version.
        bytes: bytes of all files. 0: it was never built.
        built_ms: milliseconds of the build. None: it was never built.
    """

    digest: str
    language: str
    version: str
    platform: str
    lock: str
    packages: Sequence[Package] = field(default_factory=list)
    bytes: int = 0
    built_ms: int | None = None
    state: State = "absent"

    @classmethod
    def of(cls, language: str, resolved: Resolved) -> "Environment":
        """Return the environment that a lock names."""
        named = [FORMAT, language, resolved.version, resolved.platform, resolved.lock]
        digest = hashlib.sha256(canonical(named).encode()).hexdigest()
        return cls(digest, language, resolved.version, resolved.platform, resolved.lock, resolved.packages)


class KeptLock(NamedTuple):
    """The environment that a declaration of a user has."""

    digest: str
    state: State


class BuildState(NamedTuple):
    """How far the build of an environment is.

    Attributes:
        build: names the last build.
        failure: its error as `code`, `message`, `details`, if it failed.
    """

    state: State
    build: str | None
    failure: Mapping[str, Any] | None


class Built(NamedTuple):
    """What a build tells when all parts are stored."""

    packages: Sequence[Package]
    bytes: int
    built_ms: int
    parts: int
    stored_bytes: int
