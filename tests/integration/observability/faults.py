"""Each neighbour of the controller taken away for a moment, and what clients are answered meanwhile."""

from collections.abc import Callable

from tests.acceptance.deployment import Deployment
from tests.integration.observability.load import NAP, SUM, Load
from tests.waiting import until

#: Calls while a neighbour is away; CIRCUIT_FAILURES of them open a circuit.
CALLS = 6


class Faults:
    """Makes faults.

    Args:
        holds: whether Prometheus has seen by now that a query's answer is not empty.
    """

    def __init__(self, service: Deployment, load: Load, holds: Callable[[str], bool]) -> None:
        self._service = service
        self._load = load
        self._holds = holds
        self._python = load.begin("known", NAP)
        self._nodejs = load.begin("known", SUM, "nodejs")
        self._calls = 0

    def stores(self) -> None:
        """Redis, then PostgreSQL, and both are back."""
        service = self._service
        service.redis.stop()
        self._known(CALLS)
        service.redis.start()
        self._until_well()
        service.postgres.stop()
        self._known(CALLS)
        for _ in range(CALLS):
            self._load.ledger.count(
                "functions",
                "none",
                "store_unavailable",
                lambda: self._load.client.request("GET", "/api/v1/functions"),
            )
        self._seen("lambda_log_spool_bytes > 0")
        service.postgres.start()
        self._until_well()
        self._seen("lambda_log_spool_bytes == 0")

    def runtime(self) -> None:
        """Node.js is gone, and its circuit opens."""
        self._service.runtimes["nodejs"].stop()
        for _ in range(CALLS):
            self._calls += 1
            self._load.execute(
                self._nodejs,
                {"a": self._calls, "b": 0},
                code="runtime_unavailable",
                language="nodejs",
            )
        self._seen('lambda_circuits{state="open"} == 1')
        self._seen("up == 0")

    def _known(self, calls: int) -> None:
        """Executions of a session that the controller remembers go on."""
        for _ in range(calls):
            self._calls += 1
            self._load.execute(self._python, {"seconds": 0, "n": self._calls})

    def _until_well(self) -> None:
        def well() -> bool:
            client, ledger = self._load.client, self._load.ledger
            answer = ledger.count("health", "none", "ok", lambda: client.request("GET", "/health"))
            return bool(answer.json()["status"] == "ok")

        until(well, "the service is well again")

    def _seen(self, query: str) -> None:
        until(lambda: self._holds(query), f"Prometheus sees {query}")
