"""The Python client's calls are those of the contract."""

import inspect
import re
from typing import Any

import pytest

from lambda_ms import AsyncClient, Client, calls
from lambda_ms.call import Call
from tests.unit.clients.contract import OPERATIONS

#: What people and Prometheus read is no business of a client.
LEFT_OUT = {"metrics", "openapi", "docs", "docs_file", "console", "console_file"}
MADE: dict[str, Call[Any]] = {
    "initialize": calls.initialize("python-x", "result = 1"),
    "execute": calls.execute("some-id", {"a": 1}),
    "describe_session": calls.session("some-id"),
    "end_session": calls.end_session("some-id"),
    "list_functions": calls.functions(query="price", per_page=5),
    "describe_function": calls.function("python-x@2"),
    "put_function": calls.put_function("python-x", {"script_content": "result = 1"}),
    "delete_function": calls.delete_function("python-x@2"),
    "list_versions": calls.versions("python-x"),
    "list_aliases": calls.aliases("python-x"),
    "describe_alias": calls.alias("python-x", "live"),
    "put_alias": calls.put_alias("python-x", "live", 3, canary=4, weight=0.25),
    "delete_alias": calls.delete_alias("python-x", "live"),
    "execute_by_name": calls.run("python-x@live", {"a": 1}),
    "create_key": calls.create_key("nightly", "execute:all"),
    "list_keys": calls.keys(),
    "delete_key": calls.delete_key("some-id"),
    "describe_environment": calls.environment("abc"),
    "usage": calls.usage(bucket="day"),
    "list_executions": calls.executions(function="python-x", status="error"),
    "isolation": calls.isolation(),
    "health": calls.health(),
}


def test_each_operation_has_a_call() -> None:
    assert MADE.keys() == OPERATIONS.keys() - LEFT_OUT


@pytest.mark.parametrize("name", MADE)
def test_a_call_goes_where_the_contract_says(name: str) -> None:
    call, (method, path, operation) = MADE[name], OPERATIONS[name]
    sent, _, query = call.path.partition("?")

    assert call.method == method
    assert re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), sent)
    known = {(each["in"], each["name"]) for each in operation.get("parameters", [])}
    assert {("query", each.partition("=")[0]) for each in query.split("&") if each} <= known
    assert {("header", each) for each in call.headers} <= known
    assert (call.body is not None) == ("requestBody" in operation)


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_client_has_a_method_for_each_call(client: type) -> None:
    made = {
        name for name, each in vars(calls).items() if inspect.isfunction(each) and not name.startswith("_")
    }
    made -= {"read_source", "quote", "urlencode", "dataclass", "field", "replace"}

    for name in made:
        build, method = getattr(calls, name), getattr(client, name)
        assert method.__doc__ == build.__doc__
        assert list(inspect.signature(method).parameters) == ["self", *inspect.signature(build).parameters]
    assert len(made) == len(MADE) + 1  # `deploy` is a `put_function` too


def test_only_what_does_no_harm_is_repeatable() -> None:
    repeatable = {name for name, call in MADE.items() if call.repeatable}

    assert repeatable == {name for name, (method, *_) in OPERATIONS.items() if method == "GET"} - LEFT_OUT
    assert calls.run("python-x", key="k").repeatable
    assert {name for name, call in MADE.items() if call.runs} == {"execute", "execute_by_name"}


def test_a_name_cannot_leave_its_place_in_the_path() -> None:
    assert calls.function("python-x/../y?a#b").path == "/api/v1/functions/python-x%2F..%2Fy%3Fa%23b"
