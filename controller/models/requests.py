"""The parsed requests of initialize, execute and keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from controller.models.registered import FIRST, FunctionRef, LanguageTitle, Script
from controller.models.stored import FunctionFilter


@dataclass(frozen=True, slots=True)
class PackagesAsked:
    """What a request says of a script's packages.

    Attributes:
        packages: the field `packages`. None: it was left out.
        lock: a lock that the packages have to meet. Empty: none.
        refresh: whether they are resolved anew.
        place: the JSON pointer of the object with these fields.
    """

    packages: Sequence[str] | None = None
    lock: str = ""
    refresh: bool = False
    place: str = ""

    @property
    def given(self) -> bool:
        """Whether the request says anything."""
        return self.packages is not None or bool(self.lock) or self.refresh


NO_PACKAGES = PackagesAsked()


@dataclass(frozen=True, slots=True)
class InitializeRequest:
    """An initialize request. `timeout_ms` is the client's, not yet limited."""

    name: LanguageTitle
    script: Script | None
    context: Mapping[str, Any]
    compile_options: Mapping[str, Any]
    isolation: str
    timeout_ms: int
    retain_session: bool
    #: What follows the name of a registered function, see `FunctionRef`.
    selector: str = ""
    packages: PackagesAsked = NO_PACKAGES


@dataclass(frozen=True, slots=True)
class FunctionsQuery:
    """A request for a page of the list of functions: the one with the number `page`, or the one after a name."""

    chosen: FunctionFilter
    per_page: int
    page: int | None = 1
    after: LanguageTitle = FIRST


@dataclass(frozen=True, slots=True)
class PutFunctionRequest:
    """A request that makes a version of a function.

    Attributes:
        script: None: that of the newest version.
        fields: the given fields of `FunctionContent`; those left out are as in the newest version.
        if_match: the numbers that `If-Match` allows for the newest version; `*`: any. None: no condition.
        verify: whether the examples are run first.
        packages: what it says of packages.
    """

    name: LanguageTitle
    script: Script | None
    fields: Mapping[str, Any]
    if_match: frozenset[str] | None = None
    verify: bool = False
    packages: PackagesAsked = NO_PACKAGES


class CacheDirectives(msgspec.Struct, frozen=True):
    """`X-Cache-Control`: whether a cached result may be used, and the seconds to keep a new one."""

    reuse: bool = True
    max_age: int | None = None


NO_DIRECTIVES = CacheDirectives()


class CallByName(msgspec.Struct, frozen=True):
    """What an execution by name says beyond one by id."""

    ref: FunctionRef
    #: Laid over the context of the function's defaults.
    context: Mapping[str, Any] = {}
    #: Not yet limited. None: the function's default.
    timeout_ms: int | None = None
    isolation: str | None = None


class ExecuteRequest(msgspec.Struct, frozen=True):
    """An execute request. By name, it has no `request_id` until the session behind it is found."""

    request_id: str
    params: Mapping[str, Any]
    #: `params` as the client wrote them.
    params_text: msgspec.Raw
    directives: CacheDirectives = NO_DIRECTIVES
    idempotency_key: str | None = None
    by_name: CallByName | None = None
    #: By name: the version of the function.
    version: int | None = None


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """A request for an API key."""

    name: str
    scopes: Sequence[str]
    #: None: the key is not bound to functions.
    functions: Sequence[FunctionRef] | None
    #: None: as late as possible.
    expires_at: datetime | None
