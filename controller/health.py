"""Whether the service can serve, and what it misses."""

from itertools import chain
from typing import Any, TypeAlias

import gevent

from controller import VERSION
from controller.cache.manager import CacheManager
from controller.database.postgres import Postgres
from controller.runtimes.client import RuntimeClient
from controller.runtimes.selector import RuntimeSelector

Check: TypeAlias = "gevent.Greenlet[..., bool]"

PATIENCE = 2.0
"""Seconds for all checks together; one that is not done by then has failed."""
OWN_LANGUAGES = ("nodejs", "python", "rust")


class HealthCheck:
    """Asks every neighbour, all at once."""

    def __init__(
        self, cache: CacheManager, postgres: Postgres, selector: RuntimeSelector, runtimes: RuntimeClient
    ) -> None:
        self._cache = cache
        self._postgres = postgres
        self._selector = selector
        self._runtimes = runtimes

    def document(self) -> dict[str, Any]:
        """The health as the contract writes it; `status` is `ok`, `degraded` or `error`."""
        checks: dict[str, Check] = {
            "redis": gevent.spawn(self._cache.available),
            "postgres": gevent.spawn(self._postgres.available),
        }
        runtimes: dict[str, list[Check]] = {
            language: [gevent.spawn(self._runtimes.healthy, address) for address in addresses]
            for language, addresses in self._selector.addresses().items()
        }
        gevent.joinall([*checks.values(), *chain.from_iterable(runtimes.values())], timeout=PATIENCE)
        stores = {name: _verdict(check) for name, check in checks.items()}
        states = dict.fromkeys(OWN_LANGUAGES, "absent") | {
            language: _verdict_of_all(checks) for language, checks in runtimes.items()
        }
        return {
            "status": _status(stores, states),
            "version": VERSION,
            "components": {"controller": "ok", **stores, "runtimes": states},
        }


def _verdict(check: Check) -> str:
    if not check.ready():
        check.kill(block=False)
        return "error"
    return "ok" if check.successful() and check.value else "error"


def _verdict_of_all(checks: list[Check]) -> str:
    verdicts = {_verdict(check) for check in checks}
    return "degraded" if len(verdicts) > 1 else verdicts.pop() if verdicts else "error"


def _status(stores: dict[str, str], runtimes: dict[str, str]) -> str:
    started = [state for state in runtimes.values() if state != "absent"]
    if "ok" not in stores.values() or not {"ok", "degraded"} & set(started):
        return "error"
    return "ok" if {*stores.values(), *started} == {"ok"} else "degraded"
