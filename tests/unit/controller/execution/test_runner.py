"""ScriptRunner on stores in memory: what it asks whom, and what it brings the runtime."""

import base64

import pytest

from controller.errors import InitializationFailed, RuntimeUnavailable, StoreUnavailable
from controller.models.registered import LanguageTitle
from tests.unit.controller.heart import Process, Stores, result

RUST = LanguageTitle("rust", "fast")


def test_the_second_initialize_of_an_interpreted_language_looks_for_no_artifact(
    one: Process, stores: Stores
) -> None:
    one.begin()
    assert "artifact" in stores.postgres.asked
    stores.redis.asked.clear()
    stores.postgres.asked.clear()
    one.begin(script="result = 2")
    assert "get" not in stores.redis.asked
    assert "artifact" not in stores.postgres.asked
    assert stores.runtime.prepared == ["result = 1", "result = 2"]


def test_a_compiled_script_is_compiled_once(one: Process, other: Process, stores: Stores) -> None:
    stores.runtime.artifact = b"\0wasm"
    made = [process.initialize(name=RUST).artifact_cached for process in (one, one, other)]
    assert made == [False, True, True]
    assert stores.runtime.prepared == ["result = 1"]
    assert one.sample("lambda_artifacts_total", language="rust", source="compiler") == 1
    assert one.sample("lambda_artifacts_total", language="rust", source="cache") == 1


def test_other_options_or_another_script_are_compiled_apart(one: Process, stores: Stores) -> None:
    stores.runtime.artifact = b"\0wasm"
    one.begin(name=RUST)
    assert one.initialize(name=RUST, compile_options={"opt": 3}).artifact_cached is False
    assert one.initialize(name=RUST, script="result = 2").artifact_cached is False


@pytest.mark.parametrize("lost", ["redis", "postgres"])
def test_an_artifact_is_found_in_either_store(one: Process, stores: Stores, lost: str) -> None:
    stores.runtime.artifact = b"\0wasm"
    one.begin(name=RUST)
    if lost == "redis":
        stores.lose_redis()
    else:
        stores.postgres.away = True
    assert one.initialize(name=RUST).artifact_cached is True


def test_an_artifact_that_no_store_can_give_is_made_again(one: Process, stores: Stores) -> None:
    stores.runtime.artifact = b"\0wasm"
    one.begin(name=RUST)
    stores.lose_redis()
    stores.postgres.away = True
    assert one.initialize(name=RUST).artifact_cached is False


def test_an_artifact_from_postgres_is_kept_in_redis_again(one: Process, stores: Stores) -> None:
    stores.runtime.artifact = b"\0wasm"
    session = one.begin(name=RUST)
    stores.lose_redis()
    assert one.scripts.artifact(session.artifact_key) == b"\0wasm"
    assert one.cache.artifact(session.artifact_key) == b"\0wasm"


def test_a_script_that_does_not_parse_is_refused(one: Process) -> None:
    with pytest.raises(InitializationFailed):
        one.begin(script="broken")


@pytest.mark.parametrize("lost", [False, True])
def test_a_runtime_that_lacks_a_script_is_brought_it(one: Process, stores: Stores, lost: bool) -> None:
    session = one.begin()
    stores.runtime.scripts.clear()
    if lost:
        stores.lose_redis()
        one.cache.put_session(session)
    assert result(one.execute(session)) == (1, False)
    assert stores.runtime.payloads == [{"script_content": "result = 1"}]
    assert one.cache.script(session.script_hash) == "result = 1"


def test_a_runtime_that_lacks_a_compiled_script_is_brought_its_artifact(one: Process, stores: Stores) -> None:
    stores.runtime.artifact = b"\0wasm"
    session = one.begin(name=RUST)
    stores.runtime.scripts.clear()
    one.execute(session)
    artifact = base64.b64encode(b"\0wasm").decode()
    assert stores.runtime.payloads == [{"script_content": "result = 1", "artifact": artifact}]


def test_a_runtime_that_does_not_take_the_script_is_unavailable(one: Process, stores: Stores) -> None:
    session = one.begin()
    stores.runtime.scripts.clear()
    stores.runtime.takes = False
    with pytest.raises(RuntimeUnavailable, match="did not take the script"):
        one.execute(session)


def test_a_script_that_no_store_has_yet_is_unavailable(one: Process, stores: Stores) -> None:
    stores.postgres.away = True
    session = one.begin()
    stores.lose_redis()
    stores.runtime.scripts.clear()
    stores.postgres.away = False
    with pytest.raises(StoreUnavailable, match="not written yet"):
        one.execute(session)
    one.logger.flush()
    assert result(one.execute(session)) == (1, False)


def test_the_time_of_the_runtime_is_not_the_controllers(one: Process) -> None:
    one.begin()
    assert one.sample("lambda_controller_seconds_count", endpoint="initialize") == 1
