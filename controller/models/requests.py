"""What a client asks for: the requests of initialize and execute, parsed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from controller.models.registered import LanguageTitle, Script


@dataclass(frozen=True, slots=True)
class InitializeRequest:
    """An initialize request. `timeout_ms` is as asked for, not clamped yet."""

    name: LanguageTitle
    script: Script | None
    context: Mapping[str, Any]
    compile_options: Mapping[str, Any]
    isolation: str
    timeout_ms: int
    retain_session: bool


class CacheDirectives(msgspec.Struct, frozen=True):
    """`X-Cache-Control`: whether a kept result will do, and for how many seconds to keep the new one."""

    reuse: bool = True
    max_age: int | None = None


NO_DIRECTIVES = CacheDirectives()


class ExecuteRequest(msgspec.Struct, frozen=True):
    """An execute request."""

    request_id: str
    params: Mapping[str, Any]
    #: The same, as the client wrote it.
    params_text: msgspec.Raw
    directives: CacheDirectives = NO_DIRECTIVES
    idempotency_key: str | None = None
