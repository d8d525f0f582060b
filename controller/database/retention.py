"""Retention: what is older than the log is kept is removed, in bounded steps, by one process at a time."""

from collections.abc import Mapping
from types import MappingProxyType

from controller.database.postgres import QUERIES, Postgres

LOCK = "retention"
#: What is deleted row by row, and how many rows a round. The order is free.
BATCHES: Mapping[str, int] = MappingProxyType(
    {
        "delete_old_requests": 1000,
        "delete_old_errors": 1000,
        "delete_old_times": 5000,
        "delete_old_users": 5000,
        "delete_old_session_ends": 1000,
        # Scripts are large, and each is looked for in four tables.
        "delete_unused_scripts": 100,
    }
)


class Retention:
    """Removes old rows of the logs, and scripts that nobody has used or refers to since.

    Partitions of `request_logs` go a month at a time, so its rows stay up to a month longer.

    Args:
        postgres: where they are.
        days: how long they are kept at least; 0: for ever.
    """

    def __init__(self, postgres: Postgres, days: int) -> None:
        self._postgres = postgres
        self._days = days

    def clean_up(self) -> None:
        """One round, unless another process is at it; each step is a transaction of its own."""
        if self._days == 0:
            return
        with self._postgres.transaction() as connection:
            if QUERIES.try_lock(connection, name=LOCK):
                QUERIES.drop_log_partitions(connection, days=self._days)
        for query, batch in BATCHES.items():
            with self._postgres.transaction() as connection:
                if QUERIES.try_lock(connection, name=LOCK):
                    getattr(QUERIES, query)(connection, days=self._days, batch=batch)
