"""Functions on tables in memory: what users see of them, what a reference names, and what a process remembers."""

from typing import Any

import gevent
import pytest
from gevent.event import Event
from msgspec import UNSET

from controller.errors import NotFound
from controller.models.registered import FunctionRef, LanguageTitle, now
from controller.models.requests import FunctionsQuery
from controller.models.responses import FunctionPage
from controller.models.stored import Alias, FunctionFilter, FunctionTargets, StoredFunction
from controller.registry.function_memory import LIFE, FunctionMemory, Remembered
from controller.registry.references import Asker, Choice, choose, point_of
from tests.unit.controller.heart import BOB, HELLO, Process, Stores, predefine

CALCULATOR = LanguageTitle("nodejs", "calculator")


@pytest.fixture
def one(one: Process, stores: Stores) -> Process:
    """With a predefined function."""
    schema = '{"params": {"type": "object", "a": 1}}'
    predefine(stores, CALCULATOR, description="adds", tags=["math"], schema=schema)
    return one


def query(page: int | None = 1, per_page: int = 20, **chosen: Any) -> FunctionsQuery:
    return FunctionsQuery(FunctionFilter(**chosen), per_page, page)


def titles(page: FunctionPage) -> list[str]:
    return [function.language_title for function in page.functions]


def test_a_user_sees_the_predefined_functions_and_their_own(one: Process) -> None:
    one.begin()
    assert titles(one.functions.page("alice", query())) == ["nodejs-calculator", "python-hello"]
    assert titles(one.functions.page("bob", query())) == ["nodejs-calculator"]


def test_pages_are_cut_and_counted(one: Process) -> None:
    for number in range(4):
        one.begin(name=LanguageTitle("python", f"f{number}"))
    page = one.functions.page("alice", query(language="python", page=2, per_page=3))
    assert (page.total, page.page, page.per_page, titles(page)) == (4, 2, 3, ["python-f3"])
    assert one.functions.page("alice", query(type="predefined")).total == 1
    assert one.functions.page("alice", query(user_id="bob")).total == 0


def test_the_script_of_an_own_function_alone_is_shown(one: Process) -> None:
    one.begin()
    own = one.functions.detail(FunctionRef(HELLO), "alice")
    assert (own.script_content, own.version, own.user_id) == ("result = 1", 1, "alice")
    predefined = one.functions.detail(FunctionRef(CALCULATOR), "alice")
    assert predefined.script_content is UNSET
    assert (predefined.type, predefined.tags, predefined.user_id) == ("predefined", ["math"], None)
    assert predefined.created_at.endswith("Z")


def test_a_function_is_registered_for_its_owner_alone(one: Process) -> None:
    one.begin()
    registered = one.functions.registered(FunctionRef(HELLO), "alice")
    assert (registered.script.content, registered.params_schema) == ("result = 1", None)
    for look in (one.functions.registered, one.functions.detail):
        with pytest.raises(NotFound, match="python-hello"):
            look(FunctionRef(HELLO), "bob")


def test_the_schema_of_params_is_canonical(one: Process) -> None:
    assert (
        one.functions.registered(FunctionRef(CALCULATOR), "alice").params_schema == '{"a":1,"type":"object"}'
    )


def test_an_own_function_alone_can_be_deleted(one: Process) -> None:
    one.begin()
    one.begin(identity=BOB, script="result = 2")
    with pytest.raises(NotFound):
        one.functions.require_own(CALCULATOR, "alice")
    with pytest.raises(NotFound):
        one.functions.delete(CALCULATOR, "alice")
    one.functions.require_own(HELLO, "alice")
    one.functions.delete(HELLO, "alice")
    with pytest.raises(NotFound):
        one.functions.registered(FunctionRef(HELLO), "alice")
    for change in (one.functions.require_own, one.functions.delete):
        with pytest.raises(NotFound):
            change(HELLO, "alice")
    assert one.functions.registered(FunctionRef(HELLO), "bob").script.content == "result = 2"


def test_versions_of_a_deleted_function_are_kept_for_a_month(one: Process) -> None:
    one.begin()
    one.functions.delete(HELLO, "alice")
    assert one.functions.clean_up() == 0


REQUESTS = 10_000


def targets(**aliases: Alias) -> FunctionTargets:
    return FunctionTargets("id", "alice", 7, now(), aliases)


@pytest.mark.parametrize(
    ("selector", "choice"),
    [
        ("", Choice(7, "newest")),
        ("3", Choice(3, "version")),
        ("beta", Choice(2, "alias")),
        ("none", None),
        ("live", None),
    ],
)
def test_a_reference_names_one_version(selector: str, choice: Choice | None) -> None:
    assert choose(targets(beta=Alias(2)), selector) == choice


def test_live_counts_where_nothing_is_said() -> None:
    assert choose(targets(live=Alias(4)), "") == Choice(4, "live")
    assert choose(targets(live=Alias(4)), "live") == Choice(4, "alias")


@pytest.mark.parametrize("weight", [0.0, 0.1, 0.5, 1.0])
def test_a_canary_gets_its_share_of_the_requests(weight: float) -> None:
    live = targets(live=Alias(1, 2, weight))
    sides = [choose(live, "", Asker("alice", f"request-{number}")) for number in range(REQUESTS)]
    canaries = sides.count(Choice(2, "live", "canary"))
    assert abs(canaries / REQUESTS - weight) <= 0.01
    assert canaries + sides.count(Choice(1, "live")) == REQUESTS


def test_a_request_keeps_its_side_and_users_have_their_own() -> None:
    points = [point_of(Asker("alice", f"{number}")) for number in range(100)]
    assert points == [point_of(Asker("alice", f"{number}")) for number in range(100)]
    assert points != [point_of(Asker("bob", f"{number}")) for number in range(100)]
    assert all(0 <= point < 1 for point in points)


def test_what_is_read_and_not_run_takes_the_main_side() -> None:
    assert choose(targets(live=Alias(1, 2, 1.0)), "") == Choice(1, "live")


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
        return FunctionTargets("f", "u", newest, now(), {})

    def function_version(self, function_id: str, version: int) -> tuple[StoredFunction, str] | None:
        raise AssertionError("no version is asked for")


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
