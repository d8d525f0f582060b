"""The Python library on the real service."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambda_ms import (
    AsyncClient,
    Client,
    DeadlinePassed,
    InvalidParams,
    NotFound,
    PreconditionFailed,
    ScriptError,
    ScriptFailed,
    ScriptRefused,
    Unauthorized,
)
from tests.acceptance.client import ALL_SCOPES
from tests.acceptance.deployment import Deployment

DOUBLE = "def handle(params):\n    print('doubling')\n    return params['n'] * 2\n"

BAD = """import socket

def handle(params):
    if params['n']:
        socket.socket()
    while True: pass
"""


@pytest.fixture
def token(service: Deployment) -> str:
    return service.client().speaking_for(f"user-{uuid.uuid4()}", f"{ALL_SCOPES} keys").token


@pytest.fixture
def python(service: Deployment, token: str) -> Iterator[Client]:
    with Client(service.url, token) as client:
        yield client


def test_a_function_is_made_run_moved_and_deleted(python: Client) -> None:
    made = python.put_function("python-double", {"script_content": DOUBLE, "description": "twice"})
    ran = python.run("python-double", {"n": 2**70})
    again = python.run("python-double@1", {"n": 2**70})

    assert (made.version, made.description) == (1, "twice")
    assert (ran.result, ran.version, ran.cached, ran.stdout) == (2**71, 1, False, "doubling\n")
    assert again.cached

    python.put_function("python-double", {"script_content": DOUBLE.replace("2", "3")}, if_match=1)
    with pytest.raises(PreconditionFailed):
        python.put_function("python-double", {"script_content": DOUBLE}, if_match=1)
    python.put_alias("python-double", "live", 1, canary=2, weight=0.25)

    assert [each.version for each in python.versions("python-double").versions] == [2, 1]
    assert [each.canary for each in python.aliases("python-double").aliases] == [
        python.alias("python-double", "live").canary
    ]
    assert python.function("python-double").newest == 2
    assert [each.title for each in python.functions(query="double").functions] == ["double"]

    python.delete_alias("python-double", "live")
    python.delete_function("python-double")
    with pytest.raises(NotFound):
        python.function("python-double")


def test_a_session_is_begun_run_and_ended(python: Client) -> None:
    begun = python.initialize("python-greet", "def handle(params):\n    return params['name']\n")
    answers = [
        python.execute(begun.request_id, {"name": "a"}, cache="no-cache", key="once") for _ in range(2)
    ]

    assert answers[0] == answers[1]
    assert python.session(begun.request_id).status == "active"
    python.end_session(begun.request_id)
    with pytest.raises(NotFound):
        python.execute(begun.request_id)


def test_errors_of_scripts_are_typed(python: Client) -> None:
    python.put_function("python-bad", {"script_content": BAD, "schema": {"params": {"required": ["n"]}}})

    with pytest.raises(InvalidParams) as invalid:
        python.run("python-bad")
    assert invalid.value.details["errors"]
    with pytest.raises(ScriptFailed) as failed:
        python.run("python-bad", {"n": 1})
    assert (failed.value.kind, failed.value.type, failed.value.line) == ("exception", "PermissionError", 5)
    assert failed.value.hint
    with pytest.raises(DeadlinePassed):
        python.run("python-bad", {"n": 0}, context={"timeout_ms": 100})
    with pytest.raises(ScriptRefused) as refused:
        python.put_function("python-bad", {"script_content": "def ("})
    assert (refused.value.stage, refused.value.line) == ("parse", 1)


def test_a_file_is_deployed_and_its_examples_are_held(python: Client, tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text(f'"""Doubles."""\n{DOUBLE}')
    (tmp_path / "function.toml").write_text("[[examples]]\nparams.n = 2\nresult = 4\n")

    assert python.deploy(tmp_path / "double.py", verify=True).description == "Doubles."

    (tmp_path / "function.toml").write_text("[[examples]]\nparams.n = 2\nresult = 5\n")
    with pytest.raises(ScriptRefused) as refused:
        python.deploy(tmp_path / "double.py", verify=True)
    assert refused.value.stage == "verify"


def test_a_map_gives_each_item_its_answer_or_its_error(python: Client) -> None:
    python.put_function("python-double", {"script_content": DOUBLE})
    items = [{"n": 1}, {"wrong": 1}, {"n": 3}]

    answers = list(python.outcomes("python-double", items))

    assert [each if isinstance(each, ScriptError) else each.result for each in answers[::2]] == [2, 6]
    assert isinstance(answers[1], ScriptFailed)
    with pytest.raises(ScriptFailed):
        list(python.map("python-double", items))


def test_keys_history_and_health_are_read(python: Client, service: Deployment) -> None:
    python.run("nodejs-calculator", {"operation": "add", "a": 1, "b": 2})
    key = python.create_key("reader", "read:functions")
    with Client(service.url, key.key) as reader:
        assert reader.functions(type="predefined").functions
    assert [each.name for each in python.keys().keys] == ["reader"]
    python.delete_key(key.key_id)

    assert python.keys().keys == []
    assert python.health().components.controller == "ok"
    assert python.isolation().isolation["python"]
    assert python.usage(bucket="day").bucket == "day"
    assert python.executions(status="error").executions == []


def test_the_async_client_does_the_same(service: Deployment, token: str) -> None:
    async def calls() -> list[object]:
        async with AsyncClient(service.url, token) as client:
            await client.put_function("python-double", {"script_content": DOUBLE})
            with pytest.raises(ScriptFailed):
                await client.run("python-double")
            answers = client.map("python-double", ({"n": n} for n in range(20)), concurrency=4)
            return [each.result async for each in answers]

    assert asyncio.run(calls()) == [2 * n for n in range(20)]


def test_a_token_that_is_none_is_told_so(service: Deployment) -> None:
    with Client(service.url, "a.b.c") as client, pytest.raises(Unauthorized, match="malformed"):
        client.functions()
