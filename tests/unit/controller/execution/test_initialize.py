"""WorkflowManager.initialize on stores in memory: every way that a session can begin."""

from datetime import timedelta

import pytest

from controller.errors import Forbidden, InitializationFailed, NotFound, RateLimited, StoreUnavailable
from controller.models.registered import Identity, LanguageTitle, Script, now
from tests.unit.controller.heart import ALICE, BOB, HELLO, PYTHONIST, Process, Stores, result

RUST = LanguageTitle("rust", "fast")


def test_a_script_is_registered_and_its_session_lasts(one: Process, stores: Stores) -> None:
    session = one.begin(context={"who": "you"}, isolation="execution")
    stored = stores.postgres.session(session.request_id)
    assert (stored.session, stored.execution_count) == (session, 0)
    assert (
        stores.postgres.own_content(HELLO, "alice").script_hash
        == session.script_hash
        == Script.of("result = 1").hash
    )
    assert stores.postgres.script(session.script_hash) == "result = 1"
    kept = one.cache.session(session.request_id)
    assert kept is not None
    assert (kept.session, kept.state) == (session, "active")
    assert one.cache.script(session.script_hash) == "result = 1"
    assert one.sample("lambda_sessions_created_total", language="python") == 1


def test_a_session_is_of_its_caller_and_bound_in_time(one: Process) -> None:
    before = now()
    session = one.begin(identity=BOB, timeout_ms=3000)
    assert (session.user_id, session.timeout_ms, session.status) == ("bob", 3000, "active")
    assert timedelta(seconds=3600) <= session.expires_at - before < timedelta(seconds=3700)
    assert one.begin(timeout_ms=60_000).timeout_ms == 5000


def test_a_compiled_scripts_artifact_is_kept_in_both_stores(one: Process, stores: Stores) -> None:
    stores.runtime.artifact = b"\0wasm"
    session = one.begin(name=RUST)
    assert session.compile_status == "compiled"
    assert one.cache.artifact(session.artifact_key) == b"\0wasm"
    assert stores.postgres.artifact(session.artifact_key) == b"\0wasm"
    stores.runtime.artifact = None
    assert one.begin().compile_status is None


def test_a_registered_function_needs_no_script(one: Process, other: Process, stores: Stores) -> None:
    registered = one.begin()
    versions = stores.postgres.function_targets(HELLO, "alice").newest
    session = other.begin(script=None)
    assert session.script_hash == registered.script_hash
    assert stores.postgres.function_targets(HELLO, "alice").newest == versions
    assert result(other.execute(session)) == (1, False)


def test_a_function_that_is_not_registered_is_not_found(one: Process, stores: Stores) -> None:
    one.begin()
    for identity in (BOB, Identity("bob", frozenset())):
        with pytest.raises(NotFound, match="python-hello"):
            one.begin(script=None, identity=identity)
    assert stores.runtime.prepared == ["result = 1"]


def test_a_language_without_a_runtime_is_not_found(one: Process) -> None:
    with pytest.raises(NotFound, match="cobol"):
        one.begin(name=LanguageTitle("cobol", "x"))


def test_a_token_without_the_languages_scope_begins_nothing(one: Process, stores: Stores) -> None:
    with pytest.raises(Forbidden):
        one.begin(identity=PYTHONIST, name=RUST)
    assert stores.runtime.prepared == []
    assert stores.postgres.own_content(RUST, "alice") is None


def test_a_script_that_is_refused_leaves_nothing(one: Process, stores: Stores) -> None:
    with pytest.raises(InitializationFailed):
        one.begin(script="broken")
    assert stores.postgres.own_content(HELLO, "alice") is None
    assert one.sample("lambda_sessions_created_total", language="python") == 0
    labels = {"endpoint": "initialize", "language": "python", "code": "initialization_error"}
    assert one.sample("lambda_requests_total", **labels) == 1


def test_a_session_begins_in_one_trip_and_asks_again_for_a_functions_schemas(
    one: Process, stores: Stores
) -> None:
    one.begin(script="result = 0")  # from then on the process knows that Python has no artifacts
    for script in ("result = 1", "result = 2", "result = 2"):
        stores.postgres.asked.clear()
        one.begin(script=script)
        assert stores.postgres.asked == ["begin_session"]
    one.put(script="result = 3", schema={"params": {"type": "object"}})
    stores.postgres.asked.clear()
    assert one.begin(script="result = 4").params_schema == '{"type":"object"}'
    assert stores.postgres.asked == ["begin_session", "own_content", "begin_session"]
    stores.postgres.asked.clear()
    assert one.begin(script="result = 5").params_schema == '{"type":"object"}'
    assert stores.postgres.asked == ["own_content", "begin_session"]


def test_a_user_at_the_bound_of_sessions_is_refused_before_the_runtime_works(stores: Stores) -> None:
    one = Process(stores, quotas=(2, 0))
    first, _ = one.begin(), one.begin()
    with pytest.raises(RateLimited, match="2 live sessions") as refused:
        one.begin(script="result = 2")
    assert refused.value.headers() == {"Retry-After": "60"}
    assert "result = 2" not in stores.runtime.prepared
    one.begin(identity=BOB)
    one.sessions.end(first, "deleted")
    one.logger.flush()
    one.begin()


def test_a_user_at_the_bound_of_functions_may_register_a_known_one_again(stores: Stores) -> None:
    one = Process(stores, quotas=(0, 1))
    one.begin()
    one.begin(script="result = 2")
    with pytest.raises(RateLimited, match="1 registered functions"):
        one.begin(name=LanguageTitle("python", "second"))
    one.begin(script=None)


def test_without_bounds_and_without_postgres_no_user_is_refused(stores: Stores) -> None:
    one = Process(stores)
    one.begin()
    assert "held_by_user" not in stores.postgres.asked
    stores.postgres.away = True
    assert Process(stores, quotas=(1, 1)).begin(name=LanguageTitle("python", "second"))


def test_a_function_that_is_registered_anew_forgets_the_old_ones_results(
    one: Process, other: Process
) -> None:
    old, kept = one.begin(), one.begin(script="result = 2", name=LanguageTitle("python", "other"))
    for session in (old, kept):
        one.execute(session)
    other.begin()
    assert result(one.execute(old)) == (1, True), "the same text is no other function"
    other.begin(script=None)
    assert result(one.execute(old)) == (1, True), "it was not registered"
    other.begin(script="result = 3")
    assert result(one.execute(old)) == (3, False)
    assert result(one.execute(kept)) == (2, True)


def test_another_users_function_of_the_name_forgets_nothing(one: Process) -> None:
    session = one.begin()
    one.execute(session)
    one.begin(script="result = 2", identity=BOB)
    assert result(one.execute(session)) == (1, True)


def test_without_postgres_a_session_lives_in_redis_and_is_written_later(
    one: Process, other: Process, stores: Stores
) -> None:
    stores.postgres.away = True
    session = one.begin()
    assert result(other.execute(session)) == (1, False)
    stores.postgres.away = False
    assert stores.postgres.session(session.request_id) is None
    one.logger.flush()
    other.logger.flush()
    assert stores.postgres.session(session.request_id).execution_count == 1
    assert stores.postgres.own_content(HELLO, "alice").script_hash == session.script_hash


def test_without_redis_a_session_lives_in_postgres(one: Process, other: Process, stores: Stores) -> None:
    stores.redis.away = True
    session = one.begin()
    assert result(other.execute(session)) == (1, False)


def test_without_both_stores_no_session_begins(one: Process, stores: Stores) -> None:
    stores.redis.away = stores.postgres.away = True
    with pytest.raises(StoreUnavailable):
        one.begin(identity=ALICE)
    assert one.sample("lambda_sessions_created_total", language="python") == 0


def test_without_postgres_no_registered_function_is_found(one: Process, stores: Stores) -> None:
    one.begin()
    stores.postgres.away = True
    with pytest.raises(StoreUnavailable):
        one.begin(script=None)
