"""HealthCheck: the health of the service and its components. IsolationCheck: what confines scripts."""

from collections.abc import Callable, Mapping
from itertools import chain
from time import monotonic
from typing import Literal, TypeAlias

import gevent

from controller import VERSION
from controller.cache.manager import CacheManager
from controller.database.postgres import Postgres
from controller.models.responses import (
    Components,
    HealthAnswer,
    IsolationAnswer,
    RuntimeState,
    StoreState,
)
from controller.runtimes.client import RuntimeClient
from controller.runtimes.selector import RuntimeSelector

Check: TypeAlias = "gevent.Greenlet[..., bool]"

#: Timeout in seconds of all checks together. A check that has not finished by then has failed.
PATIENCE = 2.0
#: Seconds that an answer about the layers counts.
ISOLATION_SECONDS = 60.0
NOT_KNOWN: tuple[float, Mapping[str, bool]] = (float("-inf"), {})
OWN_LANGUAGES = ("nodejs", "python", "rust", "typescript")


class HealthCheck:
    """Checks the stores and runtimes concurrently."""

    def __init__(
        self, cache: CacheManager, postgres: Postgres, selector: RuntimeSelector, runtimes: RuntimeClient
    ) -> None:
        self._cache = cache
        self._postgres = postgres
        self._selector = selector
        self._runtimes = runtimes

    def document(self) -> HealthAnswer:
        """Return the health as the contract defines it."""
        redis: Check = gevent.spawn(self._cache.available)
        postgres: Check = gevent.spawn(self._postgres.available)
        addresses = self._selector.addresses()
        # Once for each address, which may serve several languages.
        checks: dict[str, Check] = {
            address: gevent.spawn(self._runtimes.healthy, address)
            for address in set(chain.from_iterable(addresses.values()))
        }
        gevent.joinall([redis, postgres, *checks.values()], timeout=PATIENCE)
        states: dict[str, RuntimeState] = dict.fromkeys(OWN_LANGUAGES, "absent")
        states |= {
            language: _verdict_of_all([checks[address] for address in own])
            for language, own in addresses.items()
        }
        components = Components("ok", _verdict(redis), _verdict(postgres), states)
        return HealthAnswer(_status(components), VERSION, components)


class IsolationCheck:
    """Asks a runtime of each language which layers confine its workers.

    A runtime starts a process for each answer, so an answer counts for a while. The layers do not change while the
    runtime runs.

    Args:
        selector: knows the runtimes.
        ask: asks the runtime at an address. None: it gave no answer.
        clock: seconds.
    """

    def __init__(
        self,
        selector: RuntimeSelector,
        ask: Callable[[str], Mapping[str, bool] | None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._selector = selector
        self._ask = ask
        self._clock = clock
        self._known: dict[str, tuple[float, Mapping[str, bool]]] = {}

    def document(self) -> IsolationAnswer:
        """Return the layers by language."""
        addresses = {language: own[0] for language, own in self._selector.addresses().items() if own}
        missing = {address for address in addresses.values() if self._current(address) is None}
        asked = {address: gevent.spawn(self._ask, address) for address in missing}
        gevent.joinall(list(asked.values()), timeout=PATIENCE)
        for address, check in asked.items():
            if check.successful() and check.value is not None:
                self._known[address] = self._clock() + ISOLATION_SECONDS, check.value
        return IsolationAnswer(
            {language: self._current(address) for language, address in sorted(addresses.items())}
        )

    def _current(self, address: str) -> Mapping[str, bool] | None:
        until, layers = self._known.get(address, NOT_KNOWN)
        return layers if self._clock() < until else None


def _verdict(check: Check) -> StoreState:
    if not check.ready():
        check.kill(block=False)
        return "error"
    return "ok" if check.successful() and check.value else "error"


def _verdict_of_all(checks: list[Check]) -> RuntimeState:
    verdicts = {_verdict(check) for check in checks}
    if len(verdicts) > 1:
        return "degraded"
    return verdicts.pop() if verdicts else "error"


def _status(components: Components) -> Literal["ok", "degraded", "error"]:
    stores = {components.redis, components.postgres}
    started = {state for state in components.runtimes.values() if state != "absent"}
    if "ok" not in stores or not {"ok", "degraded"} & started:
        return "error"
    return "ok" if stores | started == {"ok"} else "degraded"
