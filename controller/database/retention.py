"""Retention: removes old log rows in bounded steps. One process at a time does it."""

from collections.abc import Mapping
from types import MappingProxyType

from controller.database.postgres import QUERIES, Postgres

LOCK = "retention"
#: The query of each kind of row, and the rows that one round deletes. The order does not matter.
BATCHES: Mapping[str, int] = MappingProxyType(
    {
        "delete_old_requests": 1000,
        "delete_old_errors": 1000,
        "delete_old_times": 5000,
        "delete_old_users": 5000,
        "delete_old_use": 5000,
        "delete_old_session_ends": 1000,
        # Scripts are large, and each is searched in four tables.
        "delete_unused_scripts": 100,
        "delete_unused_locks": 1000,
        "delete_unused_environments": 100,
    }
)


class Retention:
    """Removes old rows of the logs, and old scripts that are unused and unreferenced.

    `request_logs` is deleted by monthly partitions, so its rows stay up to a month longer.

    Args:
        postgres: the database.
        days: fewest days that rows are kept; 0: forever.
    """

    def __init__(self, postgres: Postgres, days: int) -> None:
        self._postgres = postgres
        self._days = days

    def clean_up(self) -> None:
        """Do one round, unless another process does. Each step is a separate transaction."""
        if self._days == 0:
            return
        with self._postgres.transaction() as connection:
            if QUERIES.try_lock(connection, name=LOCK):
                QUERIES.drop_log_partitions(connection, days=self._days)
        for query, batch in BATCHES.items():
            with self._postgres.transaction() as connection:
                if QUERIES.try_lock(connection, name=LOCK):
                    getattr(QUERIES, query)(connection, days=self._days, batch=batch)
