"""Statistics: adds new log rows to the hourly sums that the views of `analytics` use."""

from controller.database.postgres import QUERIES, Postgres

#: Rows in one transaction, which takes a fraction of a second.
BATCH = 20_000
#: Transactions in one round of maintenance. The views count the remaining rows directly until the next round.
STEPS = 50


class Statistics:
    """Updates the statistics of `request_logs`.

    Args:
        postgres: the database.
        batch: most rows in one transaction.
        steps: most transactions in one round.
    """

    def __init__(self, postgres: Postgres, batch: int = BATCH, steps: int = STEPS) -> None:
        self._postgres = postgres
        self._batch = batch
        self._steps = steps

    def roll_up(self) -> int:
        """Roll up pending rows, unless another process does.

        Returns:
            The number of rows.
        """
        rolled_up = 0
        for _ in range(self._steps):
            moved = self._step()
            rolled_up += moved
            if moved < self._batch:
                break
        return rolled_up

    def _step(self) -> int:
        with self._postgres.transaction() as connection:
            if not QUERIES.try_lock(connection, name="statistics"):
                return 0
            step = QUERIES.roll_up(connection, batch=self._batch)
            for period in ("hour", "day"):
                QUERIES.keep_percentiles(connection, period=period, hours=step["hours"])
        moved: int = step["moved"]
        return moved
