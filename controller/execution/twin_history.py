"""TwinHistory: which sessions have lately met neither twins nor kept results, and so need not look out for twins."""

from collections import OrderedDict

#: Executions in a row without a twin or a kept result, after which a session expects none.
ALONE = 3
#: Sessions in memory. A forgotten session expects twins.
SESSIONS = 10_000


class TwinHistory(OrderedDict[str, int]):
    """How many executions each session had since it last met a twin or a kept result, which removes it."""

    def add(self, session: str) -> None:
        """Record an execution that met neither."""
        self[session] = self.get(session, 0) + 1
        self.move_to_end(session)
        if len(self) > SESSIONS:
            self.popitem(last=False)
