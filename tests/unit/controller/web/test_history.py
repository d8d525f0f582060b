"""Usage and executions over HTTP on stores in memory: what the answers have, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from controller.models.cursors import cursor_of
from controller.models.history import ExecutionPage, UsageAnswer
from controller.models.registered import Identity
from tests.unit.controller.heart import ALICE, Process
from tests.unit.controller.web.wsgi import Answer, Functions, bearer

PATHS = ("/usage", "/executions")


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def process(functions: Functions) -> Process:
    return functions.process


def ask(functions: Functions, target: str, authorization: str | None = None) -> Answer:
    answer = functions.ask("functions", "GET", target, HTTP_AUTHORIZATION=authorization or bearer())
    answer.check("GET")
    return answer


def document(functions: Functions, target: str) -> Any:
    answer = ask(functions, target)
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == "application/json"
    # Every answer has the fields of its schema, and no others.
    msgspec.json.decode(answer.body, type=UsageAnswer if target.startswith("/usage") else ExecutionPage)
    return json.loads(answer.body)


def run(process: Process, identity: Identity = ALICE) -> None:
    """Run version 1 by name, answer the same from the cache, and run once by id."""
    process.put(identity, "result = 1")
    for _ in range(2):
        process.by_name({"a": 1, "password": "x"}, identity=identity)
    process.execute(process.begin(identity, script=None), {"a": 2}, identity=identity)
    process.logger.flush()


def test_executions_are_as_the_log_has_them(functions: Functions, process: Process) -> None:
    run(process)
    by_id, hit, first = document(functions, "/executions")["executions"]
    assert (by_id["version"], hit["version"], first["version"]) == (None, 1, 1)
    assert (by_id["cached"], hit["cached"], first["cached"]) == (False, True, False)
    assert [one["cold"] for one in (by_id, hit, first)] == [True, None, True]
    assert [one["execution_time"] for one in (by_id, hit, first)] == [1.5, 1.5, 1.5]
    assert {one["language_title"] for one in (by_id, hit, first)} == {"python-hello"}
    assert by_id["params"] == {"a": 2}
    assert first["params"] == {"a": 1, "password": "***"}
    assert (first["result"], first["error"], first["code"], first["status_code"]) == (
        hit["result"],
        None,
        None,
        200,
    )
    assert hit["request_id"] == first["request_id"] != by_id["request_id"]


@pytest.mark.covers("history: executions of a version or of an alias")
def test_a_function_a_version_and_an_alias(functions: Functions, process: Process) -> None:
    run(process)
    process.put(ALICE, "result = 2")
    process.by_name()
    process.logger.flush()
    token = {"CONTENT_TYPE": "application/json", "HTTP_AUTHORIZATION": bearer()}

    def versions(ref: str) -> list[int | None]:
        page = document(functions, f"/executions?function={ref}")
        return [one["version"] for one in page["executions"]]

    def alias(body: dict[str, Any]) -> None:
        put = functions.ask(
            "functions", "PUT", "/python-hello/aliases/beta", json.dumps(body).encode(), **token
        )
        assert put.status in (200, 201), put

    assert versions("python-hello") == [2, None, 1, 1]
    assert versions("python-hello@2") == versions("python-hello%402") == [2]
    assert versions("python-hello@9") == versions("python-nothing") == []
    alias({"version": 1})
    assert versions("python-hello@beta") == [1, 1]
    alias({"version": 1, "canary": {"version": 2, "weight": 0.5}})
    assert versions("python-hello@beta") == [2, 1, 1]
    for ref in ("python-hello@gone", "python-nothing@live"):
        assert ask(functions, f"/executions?function={ref}").status == 404


def test_a_cursor_leads_to_the_next_page(functions: Functions, process: Process) -> None:
    run(process)
    whole = document(functions, "/executions")
    assert whole["cursor"] is None
    found, query = [], "?per_page=2"
    for _ in range(2):
        page = document(functions, f"/executions{query}")
        found += page["executions"]
        query = f"?per_page=2&cursor={page['cursor']}"
    assert page["cursor"] is None
    assert found == whole["executions"]


def test_figures_add_up(functions: Functions, process: Process) -> None:
    run(process)
    usage = document(functions, "/usage")
    (bucket,) = usage["buckets"]
    total = usage["total"]
    assert {name: value for name, value in bucket.items() if name != "starts_at"} == total
    assert (total["executions"], total["cached"], total["cached_share"]) == (3, 1, 0.3333)
    assert total["errors"] == {}
    assert total["wall_ms"] > 0
    empty = document(functions, "/usage?to=2020-01-01T00:00:00Z")
    assert (empty["buckets"], empty["total"]["executions"], empty["total"]["cached_share"]) == ([], 0, 0)


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("to=2026-03-01T12:00:00Z", "2026-02-28T12:00:00.000Z", "2026-03-01T12:00:00.000Z"),
        ("to=2026-03-01T12:00:01Z", "2026-02-28T13:00:00.000Z", "2026-03-01T13:00:00.000Z"),
        (
            "from=2026-03-01T13:59:00%2B02:00&to=2026-03-01T12:00:00Z",
            "2026-03-01T11:00:00.000Z",
            "2026-03-01T12:00:00.000Z",
        ),
        (
            "from=2026-01-29T12:30:00Z&to=2026-03-01T12:30:00Z",
            "2026-01-29T12:00:00.000Z",
            "2026-03-01T13:00:00.000Z",
        ),
        ("to=2026-03-01T00:00:00Z&bucket=day", "2026-01-30T00:00:00.000Z", "2026-03-01T00:00:00.000Z"),
        (
            "from=2026-03-01T12:00:00Z&to=2026-03-01T12:00:01Z&bucket=day",
            "2026-03-01T00:00:00.000Z",
            "2026-03-02T00:00:00.000Z",
        ),
    ],
)
def test_a_range_is_widened_to_whole_buckets(functions: Functions, query: str, first: str, last: str) -> None:
    usage = document(functions, f"/usage?{query}")
    assert (usage["from"], usage["to"]) == (first, last)


def test_a_range_ends_now_if_nothing_is_said(functions: Functions) -> None:
    for bucket, longest in (("hour", timedelta(hours=1)), ("day", timedelta(days=1))):
        usage = document(functions, f"/usage?bucket={bucket}")
        assert timedelta() <= datetime.fromisoformat(usage["to"]) - datetime.now(UTC) <= longest


@pytest.mark.covers("history: malformed range, filter and cursor 400")
@pytest.mark.parametrize(
    ("target", "pointer"),
    [
        ("/usage?from=yesterday", "/from"),
        ("/usage?from=2026-03-01T12:00:00", "/from"),
        ("/usage?to=1999-12-31T00:00:00Z", "/to"),
        ("/usage?to=9999-12-31T23:59:59-14:00", "/to"),
        ("/usage?bucket=week", "/bucket"),
        ("/usage?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "/from"),
        ("/usage?from=2026-03-01T00:00:00Z&to=2026-03-01T00:00:00Z", "/from"),
        ("/usage?from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", "/from"),
        ("/usage?from=2024-01-01T00:00:00Z&to=2026-03-01T00:00:00Z&bucket=day", "/from"),
        ("/executions?function=", "/function"),
        ("/executions?function=python-a@1@2", "/function"),
        ("/executions?status=500", "/status"),
        ("/executions?since=1", "/since"),
        ("/executions?per_page=101", "/per_page"),
        ("/executions?per_page=x", "/per_page"),
        ("/executions?cursor=x", "/cursor"),
        ("/executions?cursor=", "/cursor"),
    ],
)
def test_a_malformed_query_is_told_where(functions: Functions, target: str, pointer: str) -> None:
    answer = ask(functions, target)
    assert answer.status == 400
    (problem,) = json.loads(answer.body)["error"]["details"]["errors"]
    assert problem["pointer"] == pointer


@pytest.mark.parametrize(
    "place",
    [
        1,
        [],
        {},
        ["2026-01-01", "x"],
        ["2026-01-01T00:00:00", "0" * 32],
        ["2026-01-01T00:00:00+00:00", 5],
        ["0001-01-01T00:00:00+14:00", "0" * 32],
        ["2026-01-01T00:00:00+00:00", "\0" * 32],
        [None, None],
    ],
)
def test_a_cursor_of_another_list_is_none(functions: Functions, place: Any) -> None:
    assert ask(functions, f"/executions?cursor={cursor_of(place)}").status == 400


@pytest.mark.parametrize("path", PATHS)
def test_who_may_not_read(functions: Functions, process: Process, path: str) -> None:
    run(process)
    assert ask(functions, path, bearer(scope="execute:all")).status == 403
    assert functions.ask("functions", "GET", path).status == 401
    strangers = Functions(anonymous=frozenset({"execute:all", "read:functions"}))
    assert strangers.ask("functions", "GET", path).status == 401
    body = json.dumps({"name": "n", "scope": "read:functions", "functions": ["python-hello"]}).encode()
    maker = bearer(scope="keys read:functions")
    made = functions.ask(
        "functions", "POST", "/keys", body, CONTENT_TYPE="application/json", HTTP_AUTHORIZATION=maker
    )
    bound = f"Bearer {json.loads(made.body)['key']}"
    assert ask(functions, path, bound).status == 403


@pytest.mark.parametrize("path", PATHS)
def test_others_see_nothing_of_it(functions: Functions, process: Process, path: str) -> None:
    run(process)
    answer = json.loads(ask(functions, path, bearer("bob")).body)
    assert not answer.get("executions") and not answer.get("buckets")


def test_layers_are_asked_for_once_of_each_runtime(functions: Functions, process: Process) -> None:
    for _ in range(2):
        told = json.loads(ask(functions, "/isolation").body)
        assert told == {
            "isolation": {
                "nodejs": {"seccomp": True},
                "python": {"seccomp": True},
                "rust": None,
                "typescript": {"seccomp": True},
            }
        }
    # One that gave no answer is asked again.
    assert sorted(process.stores.runtime.probes) == [
        "http://nodejs",
        "http://python",
        "http://rust",
        "http://rust",
    ]


@pytest.mark.parametrize("path", PATHS)
def test_with_postgresql_away_it_says_so(functions: Functions, process: Process, path: str) -> None:
    process.stores.postgres.away = True
    answer = functions.ask("functions", "GET", path, HTTP_AUTHORIZATION=bearer())
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "STORE_UNAVAILABLE")
    assert answer.headers["Retry-After"]
