"""What the requests of all axes start from: a service, a session of a trivial script, and what was filled in."""

from collections.abc import Callable
from functools import partial

from bench.growth.filling import Filling
from bench.scenarios.scenario import Bench
from bench.scenarios.sessions import session, visit
from bench.scripts import TRIVIAL

LANGUAGE = "python"


class Ground:
    """A bench that can be filled.

    Args:
        bench: its service serves Python.
        user: whose token the bench has.
    """

    def __init__(self, bench: Bench, user: str) -> None:
        self.bench = bench
        self.service = bench.service
        self.filling = Filling(bench.service)
        self.path = session(bench.service, LANGUAGE, TRIVIAL[LANGUAGE])
        self.session = self.filling.session(self.path)
        self.paths = [self.path]
        self.titles: list[str] = []
        self._user = user

    def have_sessions(self, number: int, *, visited: bool = False) -> None:
        """`visited`: each of them has been executed in, so that the controller knows it."""
        self.paths = self.filling.sessions(self.session, number)
        if visited:
            visit(self.service, self.paths)

    def have_functions(self, number: int) -> None:
        self.titles = self.filling.functions(self.session, number)

    def have_log_rows(self, number: int) -> None:
        self.filling.log_rows(self.session, number)

    def filled_window(self, number: int) -> Callable[[], None]:
        """Fills the user's window, as often as it is called."""
        return partial(self.filling.window, self._user, number)
