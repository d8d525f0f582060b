"""HealthCheck: the health of the service and its components."""

from itertools import chain
from typing import Literal, TypeAlias

import gevent

from controller import VERSION
from controller.cache.manager import CacheManager
from controller.database.postgres import Postgres
from controller.models.responses import Components, HealthAnswer, RuntimeState, StoreState
from controller.runtimes.client import RuntimeClient
from controller.runtimes.selector import RuntimeSelector

Check: TypeAlias = "gevent.Greenlet[..., bool]"

#: Timeout in seconds of all checks together. A check that has not finished by then has failed.
PATIENCE = 2.0
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
