"""The calls of API keys, and what a key may call, over HTTP on stores in memory."""

import json
import time
from typing import Any

import jwt
import pytest

from controller.models.api_keys import new_key
from controller.models.registered import LanguageTitle
from tests.unit.controller.heart import predefine
from tests.unit.controller.web.wsgi import JSON, SECRET, Answer, Functions

ALL = "execute:all read:functions keys"


def bearer(sub: str = "alice", scope: str = ALL) -> str:
    return "Bearer " + jwt.encode({"sub": sub, "scope": scope, "exp": time.time() + 60}, SECRET, "HS256")


class Caller:
    """A user of the service.

    Args:
        functions: the service.
        authorization: what the user sends. None: no token.
    """

    def __init__(self, functions: Functions, authorization: str | None) -> None:
        self._functions = functions
        self._authorization = authorization

    def ask(self, function: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        text = b"" if body is None else json.dumps(body).encode()
        answer = self._functions.ask(
            function, method, path, text, **JSON, HTTP_AUTHORIZATION=self._authorization, **headers
        )
        answer.check(method)
        return answer

    def make(self, **fields: Any) -> Answer:
        return self.ask("functions", "POST", "/keys", {"name": "nightly", "scope": "execute:python"} | fields)

    def holder(self, **fields: Any) -> "Caller":
        """A program that has a new key of this user's."""
        made = self.make(**fields)
        assert made.status == 201, made
        return Caller(self._functions, f"Bearer {json.loads(made.body)['key']}")

    def initialize(self, script: str | None, name: str = "python-hello") -> Answer:
        body = {} if script is None else {"script_content": script}
        return self.ask("initialize", "POST", "/", body, HTTP_LANGUAGE_TITLE=name)


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def alice(functions: Functions) -> Caller:
    caller = Caller(functions, bearer())
    assert caller.initialize("result = 1").status == 200
    functions.process.logger.flush()
    return caller


def pointer(answer: Answer) -> str:
    found: str = json.loads(answer.body)["error"]["details"]["errors"][0]["pointer"]
    return found


def test_a_key_is_made_listed_used_and_deleted(alice: Caller) -> None:
    made = json.loads(alice.make(functions=["python-hello", "python-hello@1", "python-hello"]).body)
    assert made["functions"] == ["python-hello", "python-hello@1"]
    assert list(made) == ["key_id", "key", "name", "scope", "functions", "expires_at"]
    (listed,) = json.loads(alice.ask("functions", "GET", "/keys").body)["keys"]
    assert listed["key_id"] == made["key_id"]
    assert "key" not in listed
    assert alice.ask("functions", "DELETE", f"/keys/{made['key_id']}").status == 204
    assert alice.ask("functions", "DELETE", f"/keys/{made['key_id']}").status == 404
    assert json.loads(alice.ask("functions", "GET", "/keys").body) == {"keys": []}


@pytest.mark.covers("keys: malformed request 400")
@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"name": None}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"name": "\ud800"}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"scope": ""}, "/scope"),
        ({"scope": " "}, "/scope"),
        ({"scope": ["execute:python"]}, "/scope"),
        ({"functions": []}, "/functions"),
        ({"functions": "python-hello"}, "/functions"),
        ({"functions": [1]}, "/functions/0"),
        ({"functions": ["python-hello", "python"]}, "/functions/1"),
        ({"functions": ["python-hello", "python-hello", "python"]}, "/functions/2"),
        ({"functions": ["python-hello@1@2"]}, "/functions/0"),
        ({"functions": ["python-hello@"]}, "/functions/0"),
        ({"functions": ["python-hello@Prod"]}, "/functions/0"),
        ({"functions": ["python-hello@01"]}, "/functions/0"),
        ({"expires_at": "tomorrow"}, "/expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "/expires_at"),
        ({"expires_at": "2099-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": 1_900_000_000}, "/expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-23:59"}, "/expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+23:59"}, "/expires_at"),
        ({"expires_at": ""}, "/expires_at"),
        ({"more": 1}, "/more"),
    ],
)
def test_a_malformed_request_is_refused_with_a_pointer(
    alice: Caller, fields: dict[str, Any], where: str
) -> None:
    answer = alice.make(**fields)
    assert (answer.status, pointer(answer)) == (400, where)
    assert json.loads(alice.ask("functions", "GET", "/keys").body) == {"keys": []}


@pytest.mark.covers("keys: reference to nothing 404")
@pytest.mark.parametrize("reference", ["python-none", "python-hello@2", "python-hello@prod", "rust-hello"])
def test_a_reference_to_nothing_is_not_found(alice: Caller, reference: str) -> None:
    assert alice.make(functions=[reference]).status == 404
    assert alice.make(functions=["python-hello@1"]).status == 201


@pytest.mark.covers("keys: more rights than its maker 403")
@pytest.mark.parametrize("scope", ["keys", "execute:python keys", "write:everything", "read:function"])
def test_a_scope_that_the_maker_lacks_is_forbidden(alice: Caller, scope: str) -> None:
    assert alice.make(scope=scope).status == 403


@pytest.mark.covers("keys: no scope keys 403, anonymous 401")
def test_keys_need_their_scope_and_a_key_never_has_it(functions: Functions, alice: Caller) -> None:
    key_id = json.loads(alice.make().body)["key_id"]
    stranger = Caller(functions, bearer("bob"))
    for caller in (
        Caller(functions, bearer(scope="execute:all read:functions")),
        alice.holder(scope="execute:all read:functions write:functions"),
        alice.holder(functions=["python-hello"]),
    ):
        assert caller.make().status == 403
        assert caller.ask("functions", "GET", "/keys").status == 403
        assert caller.ask("functions", "DELETE", f"/keys/{key_id}").status == 403
    assert stranger.ask("functions", "DELETE", f"/keys/{key_id}").status == 404
    assert json.loads(stranger.ask("functions", "GET", "/keys").body) == {"keys": []}


def test_the_order_of_checks(functions: Functions, alice: Caller) -> None:
    """Body before owner before scope: each request is wrong in all that the ones after it are wrong in."""
    reader = Caller(functions, bearer(scope="read:functions"))
    ladder: list[tuple[dict[str, Any], int]] = [
        ({"expires_at": "2020-01-01T00:00:00Z", "functions": ["python-none"], "scope": "execute:rust"}, 400),
        ({"functions": ["python-none"], "scope": "execute:rust"}, 404),
        ({"scope": "execute:rust"}, 403),
    ]
    assert [reader.make(**fields).status for fields, _ in ladder] == [status for _, status in ladder]


@pytest.mark.parametrize("key_id", ["x", "versions", "lmk_x", "8e3c3a5e-7d2f-4b5a-9c55-0d8f4f5f2c11"])
def test_an_id_that_is_none_is_not_found_and_other_methods_are_not_allowed(
    alice: Caller, key_id: str
) -> None:
    assert alice.ask("functions", "DELETE", f"/keys/{key_id}").status == 404
    for method, path, allowed in (
        ("GET", f"/keys/{key_id}", {"DELETE", "OPTIONS"}),
        ("PUT", "/keys", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("DELETE", "/keys", {"GET", "HEAD", "OPTIONS", "POST"}),
    ):
        answer = alice.ask("functions", method, path)
        assert answer.status == 405
        assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.covers("keys: no scope keys 403, anonymous 401")
def test_a_caller_without_a_token_has_no_keys() -> None:
    functions = Functions(anonymous=frozenset({"execute:all", "keys", "read:functions"}))
    stranger = Caller(functions, None)
    assert stranger.make().status == 401
    assert stranger.make(name="").status == 401
    assert stranger.ask("functions", "GET", "/keys").status == 401
    assert stranger.ask("functions", "DELETE", "/keys/8e3c3a5e-7d2f-4b5a-9c55-0d8f4f5f2c11").status == 401
    assert stranger.initialize("result = 1").status == 200
    functions.process.logger.flush()
    assert stranger.ask("functions", "DELETE", "/python-hello").status == 401


@pytest.mark.covers("functions: anonymous callers change nothing")
def test_callers_without_a_token_change_nothing_and_run_what_all_may() -> None:
    functions = Functions(anonymous=frozenset({"execute:all", "read:functions"}))
    functions.process.put(script="result = 1")
    predefine(functions.process.stores, LanguageTitle("python", "shared"))
    stranger = Caller(functions, None)
    for method, path in (
        ("PUT", "/python-hello"),
        ("DELETE", "/python-hello"),
        ("GET", "/python-hello/aliases"),
        ("PUT", "/python-hello/aliases/live"),
        ("DELETE", "/python-hello/aliases/live"),
    ):
        refused = stranger.ask("functions", method, path, {} if method == "PUT" else None)
        assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    body: dict[str, Any] = {"params": {}}
    assert stranger.ask("functions", "POST", "/python-shared/execute", body).status == 200
    keyed = stranger.ask("functions", "POST", "/python-shared/execute", body, HTTP_IDEMPOTENCY_KEY="k")
    assert keyed.status == 400
    assert stranger.ask("functions", "POST", "/python-hello/execute", body).status == 404


@pytest.mark.covers("keys: write:functions by name")
def test_a_key_executes_and_writes_functions_only_by_name(alice: Caller) -> None:
    runner, writer = alice.holder(), alice.holder(scope="execute:python write:functions")
    session = json.loads(runner.initialize(None).body)["request_id"]
    assert runner.ask("execute", "POST", f"/{session}", {"params": {}}).status == 200
    assert runner.initialize("result = 2").status == 403
    assert runner.ask("functions", "DELETE", "/python-hello").status == 403
    assert runner.ask("functions", "GET", "/").status == 403
    assert writer.initialize("result = 2").status == 200
    assert writer.ask("functions", "DELETE", "/python-hello").status == 204


@pytest.mark.covers("keys: bound, only by name")
def test_a_bound_key_does_nothing_by_id(alice: Caller) -> None:
    session = json.loads(alice.initialize(None).body)["request_id"]
    bound = alice.holder(scope="execute:python read:functions write:functions", functions=["python-hello"])
    assert bound.initialize(None).status == 403
    assert bound.ask("execute", "POST", f"/{session}", {"params": {}}).status == 403
    assert bound.ask("sessions", "GET", f"/{session}").status == 403
    assert bound.ask("sessions", "DELETE", f"/{session}").status == 403
    for method, path in (("GET", "/"), ("GET", "/python-hello"), ("DELETE", "/python-hello")):
        assert bound.ask("functions", method, path).status == 403


def test_a_key_that_is_unknown_or_mistyped_is_told_so(functions: Functions) -> None:
    for text, words in ((new_key(), "unknown"), (new_key()[:-1], "mistyped"), ("lmk_", "mistyped")):
        answer = Caller(functions, f"Bearer {text}").ask("functions", "GET", "/")
        assert answer.status == 401
        assert words in json.loads(answer.body)["error"]["message"]
        assert words in answer.headers["WWW-Authenticate"]
