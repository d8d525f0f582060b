"""What a process remembers of functions, and for how long."""

from datetime import UTC, datetime

import gevent
from gevent.event import Event

from controller.models.registered import LanguageTitle
from controller.models.stored import FunctionTargets, StoredFunction
from controller.registry.function_memory import LIFE, FunctionMemory, Remembered

KEY = ("u", LanguageTitle("python", "t"))


class SlowRows:
    """Rows as they are when the reading begins; each reading waits until it is let go."""

    def __init__(self) -> None:
        self.newest = 1
        self.begun: list[Event] = []

    def function_targets(self, name: LanguageTitle, owner: str | None) -> FunctionTargets:
        newest = self.newest
        self.begun.append(Event())
        self.begun[-1].wait(60)
        return targets(newest)

    def function_version(self, function_id: str, version: int) -> tuple[StoredFunction, str] | None:
        raise AssertionError("no version is asked for")


def targets(newest: int) -> FunctionTargets:
    return FunctionTargets(
        function_id="f", user_id="u", newest=newest, aliases={}, updated_at=datetime.now(UTC)
    )


def newest(read: Remembered | None) -> int | None:
    return None if read is None else read.targets.newest


def until_begun(rows: SlowRows, count: int) -> None:
    with gevent.Timeout(60):
        while len(rows.begun) < count:
            gevent.sleep(0)


def test_a_reading_from_long_before_the_request_is_not_waited_for_alone() -> None:
    now, rows = [0.0], SlowRows()
    memory = FunctionMemory(rows, clock=lambda: now[0])
    early = gevent.spawn(memory.function, KEY, lambda: None)
    until_begun(rows, 1)
    rows.newest, now[0] = 2, LIFE + 0.1
    late = gevent.spawn(memory.function, KEY, lambda: None)
    gevent.sleep(0)
    rows.begun[0].set()
    until_begun(rows, 2)
    rows.begun[1].set()
    assert newest(early.get(timeout=60)) == 1
    assert newest(late.get(timeout=60)) == 2
