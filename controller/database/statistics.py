"""Statistics: maintenance that moves the figures of new rows into the hours that the views of `analytics` add up."""

from controller.database.postgres import QUERIES, Postgres

#: Rows in one transaction: a fraction of a second.
BATCH = 20_000
#: Transactions in one round of maintenance; what is left is for the next one, and the views count it
#: meanwhile.
STEPS = 50


class Statistics:
    """Keeps the statistics of `request_logs`.

    Args:
        postgres: where they are.
        batch: rows in one transaction.
        steps: transactions in one round.
    """

    def __init__(self, postgres: Postgres, batch: int = BATCH, steps: int = STEPS) -> None:
        self._postgres = postgres
        self._batch = batch
        self._steps = steps

    def roll_up(self) -> int:
        """Rolls up what is pending, unless another process is doing so.

        Returns:
            How many rows were rolled up.
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
