"""TwinHistory: how many executions a session had alone."""

from controller.execution.twin_history import SESSIONS, TwinHistory


def test_executions_are_counted_until_one_meets_another() -> None:
    history = TwinHistory()
    for _ in range(3):
        history.add("one")
    history.add("another")
    assert history == {"one": 3, "another": 1}
    del history["one"]
    history.add("one")
    assert history["one"] == 1


def test_sessions_are_bounded_and_the_one_used_longest_ago_is_forgotten() -> None:
    history = TwinHistory()
    history.add("used")
    for number in range(SESSIONS):
        history.add(str(number))
        history.add("used")
    assert len(history) == SESSIONS
    assert "used" in history
    assert "0" not in history
