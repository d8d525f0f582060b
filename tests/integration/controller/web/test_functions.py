"""Functions, their versions and aliases over HTTP, at two controllers."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.acceptance.client import Client, error_of
from tests.integration.controller.pair import Pair

NAME = "python-thing"
PATH = f"/api/v1/functions/{NAME}"
SCRIPT = "result = 1"
FULL: dict[str, Any] = {
    "script_content": SCRIPT,
    "description": "a thing",
    "tags": ["a", "b"],
    "schema": {"params": {"type": "object"}, "result": {"type": "integer"}},
    "enforce_result": True,
    "examples": [{"name": "one", "params": {"x": 1}, "result": 1}],
    "defaults": {"timeout_ms": 700, "isolation": "execution", "context": {"k": 1}, "cache_ttl": 9},
}


@pytest.fixture
def clients(pair: Pair) -> tuple[Client, Client]:
    return pair.clients()


def put(client: Client, path: str = PATH, **body: Any) -> requests.Response:
    return client.request("PUT", path, json=body)


def make(client: Client, *scripts: str) -> None:
    for script in scripts:
        assert put(client, script_content=script).status_code == 201


def alias(client: Client, name: str, **body: Any) -> requests.Response:
    return client.request("PUT", f"{PATH}/aliases/{name}", json=body)


def versions(client: Client) -> list[int]:
    return [one["version"] for one in client.request("GET", f"{PATH}/versions").json()["versions"]]


@pytest.mark.covers("functions: shown as they were put")
def test_a_function_is_shown_everywhere_as_it_was_put(clients: tuple[Client, Client]) -> None:
    one, other = clients
    made = put(one, **FULL)
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    document = made.json()
    assert {name: document[name] for name in FULL} == FULL
    assert (document["version"], document["newest"], document["aliases"]) == (1, 1, [])
    assert (document["packages"], document["environment"]) == ([], None)
    shown = other.request("GET", PATH)
    assert (shown.status_code, shown.headers["ETag"], shown.json()) == (200, '"1"', document)


def test_what_equals_the_newest_is_no_new_version_and_any_difference_is(
    clients: tuple[Client, Client],
) -> None:
    one, other = clients
    put(one, **FULL)
    same = put(other, **FULL)
    assert (same.status_code, same.json()["version"]) == (200, 1)
    assert put(other).status_code == 200
    changed = put(other, description="another")
    assert (changed.status_code, changed.headers["ETag"]) == (201, '"2"')
    assert {name: changed.json()[name] for name in FULL} == FULL | {"description": "another"}
    assert put(one, examples=[{"name": "one", "params": {"x": True}, "result": 1}]).status_code == 201
    assert versions(one) == [3, 2, 1]


@pytest.mark.covers("PRECONDITION_FAILED")
def test_a_put_may_depend_on_the_newest_version(clients: tuple[Client, Client]) -> None:
    one, other = clients
    for tag in ('"1"', "*"):
        refused = one.request("PUT", PATH, json=FULL, headers={"If-Match": tag})
        assert refused.status_code == 412
        error_of(refused, "PRECONDITION_FAILED")
    make(one, SCRIPT)
    done = other.request("PUT", PATH, json={"tags": ["x"]}, headers={"If-Match": '"1"'})
    assert done.headers["ETag"] == '"2"'
    error_of(
        one.request("PUT", PATH, json={"tags": ["y"]}, headers={"If-Match": '"1"'}), "PRECONDITION_FAILED"
    )
    assert one.request("PUT", PATH, json={"tags": ["y"]}, headers={"If-Match": "*"}).status_code == 201
    assert versions(one) == [3, 2, 1]


@pytest.mark.covers("functions: PUTs at the same time make a version each")
def test_puts_at_the_same_time_make_a_version_each_and_lose_nothing(clients: tuple[Client, Client]) -> None:
    make(clients[0], SCRIPT)
    changes: list[dict[str, Any]] = [{"description": f"d{number}"} for number in range(8)]
    changes += [{"tags": [f"t{number}"]} for number in range(8)]

    def change(number: int) -> requests.Response:
        return put(clients[number % 2].again() if number % 2 else clients[0].again(), **changes[number])

    with ThreadPoolExecutor(len(changes)) as threads:
        answers = list(threads.map(change, range(len(changes))))
    assert {answer.status_code for answer in answers} == {201}
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 18))
    # Each began with what the one before had made.
    before = {"description": "", "tags": []}
    for number in range(2, 18):
        shown = clients[1].request("GET", f"{PATH}@{number}").json()
        now = {key: shown[key] for key in before}
        assert sum(now[key] != before[key] for key in before) == 1
        before = now


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/script_content"),
        ({"script_content": SCRIPT, "colour": 1}, "/colour"),
        ({"script_content": SCRIPT, "schema": {"params": {"type": 7}}}, "/schema/params/type"),
        ({"script_content": SCRIPT, "schema": {"input": {}}}, "/schema/input"),
        (
            {"script_content": SCRIPT, "schema": {"result": {"$ref": "https://example.com/x"}}},
            "/schema/result/$ref",
        ),
        ({"script_content": SCRIPT, "description": "a\0"}, "/description"),
        ({"script_content": SCRIPT, "description": "a\ud800"}, "/description"),
        ({"script_content": SCRIPT, "tags": ["ok", ""]}, "/tags/1"),
        ({"script_content": SCRIPT, "examples": [{"params": {}, "x": 1}]}, "/examples/0/x"),
        ({"script_content": SCRIPT, "examples": [{}] * 51}, "/examples"),
        (
            {"script_content": SCRIPT, "defaults": {"context": {"timeout_ms": 1}}},
            "/defaults/context/timeout_ms",
        ),
        ({"script_content": SCRIPT, "defaults": {"timeout_ms": 0}}, "/defaults/timeout_ms"),
        ({"script_content": SCRIPT, "packages": ["numpy @ https://x"]}, "/packages/0"),
        ({"script_content": SCRIPT, "lock": "\0"}, "/lock"),
        ({"script_content": SCRIPT, "verify": "yes"}, "/verify"),
        ({"script_content": SCRIPT, "refresh_packages": 1}, "/refresh_packages"),
    ],
)
@pytest.mark.covers("functions: unknown member, schema that is none, remote reference 400")
def test_a_malformed_put_is_pointed_at_and_changes_nothing(
    clients: tuple[Client, Client], body: dict[str, Any], pointer: str
) -> None:
    one, other = clients
    refused = put(one, **body)
    assert refused.status_code == 400
    assert [fault["pointer"] for fault in error_of(refused, "INVALID_REQUEST")["details"]["errors"]] == [
        pointer
    ]
    assert other.request("GET", PATH).status_code == 404


def test_all_but_the_script_has_256_kib_together(clients: tuple[Client, Client]) -> None:
    one, _ = clients
    refused = put(one, script_content=SCRIPT, defaults={"context": {"k": "x" * 262_144}})
    assert refused.status_code == 400
    assert "262144 bytes" in error_of(refused, "INVALID_REQUEST")["message"]
    assert put(one, script_content="#" * 300_000).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", f"{PATH}@1", 405),
        ("PUT", f"{PATH}%401", 405),
        ("GET", f"{PATH}@1@2", 400),
        ("GET", f"{PATH}@0", 400),
        ("GET", f"{PATH}@Live", 400),
        ("GET", f"{PATH}@", 400),
        ("GET", f"{PATH}@9", 404),
        ("GET", f"{PATH}@none", 404),
        ("GET", f"{PATH}@1/versions", 400),
        ("GET", f"{PATH}/versions?cursor=x", 400),
        ("GET", f"{PATH}/aliases/none", 404),
        ("GET", f"{PATH}/aliases/None", 400),
        ("DELETE", f"{PATH}@none", 400),
        ("DELETE", f"{PATH}@9", 404),
        ("DELETE", f"{PATH}/aliases/none", 404),
        ("GET", "/api/v1/functions/python-none/versions", 404),
        ("GET", "/api/v1/functions/python-none/aliases", 404),
    ],
)
@pytest.mark.covers("functions: reference with two @ 400, PUT on a reference 405")
def test_references_to_nothing(clients: tuple[Client, Client], method: str, path: str, status: int) -> None:
    one, _ = clients
    make(one, SCRIPT)
    answer = one.request(method, path, json={} if method == "PUT" else None)
    assert answer.status_code == status
    error_of(answer, "NOT_FOUND" if status == 404 else "INVALID_REQUEST")
    assert ("Allow" in answer.headers) == (status == 405)
    assert versions(one) == [1]


def test_references_name_a_version_an_alias_or_what_is_live(clients: tuple[Client, Client]) -> None:
    one, other = clients
    make(one, "result = 1", "result = 2", "result = 3")
    assert alias(one, "old", version=1).status_code == 201
    for ref, version in (("@2", 2), ("%402", 2), ("@old", 1), ("", 3)):
        shown = other.request("GET", PATH + ref)
        assert (shown.json()["version"], shown.headers["ETag"]) == (version, f'"{version}"')
    alias(one, "live", version=2)
    shown = other.request("GET", PATH).json()
    assert (shown["version"], shown["newest"], shown["aliases"]) == (2, 3, ["live"])
    # PUT goes on from the newest version, whatever is live.
    assert put(one, description="x").json()["version"] == 4
    refused = one.initialize(f"{NAME}@1", "result = 5")
    assert refused.status_code == 400
    error_of(refused, "INVALID_REQUEST")
    assert one.initialize(f"{NAME}@9").status_code == 404
    assert one.initialize(f"{NAME}@old").status_code == 200


def test_aliases_are_set_moved_read_and_deleted(clients: tuple[Client, Client]) -> None:
    one, other = clients
    make(one, "result = 1", "result = 2")
    made = alias(one, "live", version=1, canary={"version": 2, "weight": 0.25})
    described = {"alias": "live", "version": 1, "canary": {"version": 2, "weight": 0.25}}
    assert (made.status_code, made.json()) == (201, described)
    assert other.request("GET", f"{PATH}/aliases/live").json() == described
    moved = alias(other, "live", version=2)
    assert (moved.status_code, moved.json()) == (200, {"alias": "live", "version": 2})
    alias(other, "beta", version=1)
    listed = one.request("GET", f"{PATH}/aliases").json()
    assert listed == {"aliases": [{"alias": "beta", "version": 1}, {"alias": "live", "version": 2}]}
    assert one.request("DELETE", f"{PATH}/aliases/beta").status_code == 204
    assert other.request("GET", f"{PATH}/aliases/beta").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({}, 400, "/version"),
        ({"version": 0}, 400, "/version"),
        ({"version": 1, "canary": {"version": 1}}, 400, "/canary/weight"),
        ({"version": 1, "canary": {"version": 1, "weight": 1.1}}, 400, "/canary/weight"),
        ({"version": 1, "canary": {"version": 1, "weight": -0.1}}, 400, "/canary/weight"),
        ({"version": 1, "canary": {"version": 1, "weight": "0.5"}}, 400, "/canary/weight"),
        ({"version": 1, "canary": {"version": 1, "weight": True}}, 400, "/canary/weight"),
        ({"version": 1, "weight": 1}, 400, "/weight"),
        ({"version": 2}, 404, None),
        ({"version": 1, "canary": {"version": 2, "weight": 0.5}}, 404, None),
    ],
)
@pytest.mark.covers("functions: alias to nothing 404, weight outside 0 to 1 400")
def test_a_malformed_alias_is_pointed_at_and_changes_nothing(
    clients: tuple[Client, Client], body: dict[str, Any], status: int, pointer: str | None
) -> None:
    one, other = clients
    make(one, SCRIPT)
    refused = alias(one, "live", **body)
    assert refused.status_code == status
    details = error_of(refused, "INVALID_REQUEST" if status == 400 else "NOT_FOUND")["details"]
    assert [fault["pointer"] for fault in details.get("errors", [])] == ([pointer] if pointer else [])
    assert other.request("GET", f"{PATH}/aliases").json() == {"aliases": []}


@pytest.mark.covers("CONFLICT", "functions: version in use 409")
def test_a_version_in_use_stays(clients: tuple[Client, Client]) -> None:
    one, other = clients
    make(one, SCRIPT)
    refused = one.request("DELETE", f"{PATH}@1")
    assert refused.status_code == 409
    error_of(refused, "CONFLICT")
    make(one, "result = 2", "result = 3")
    alias(one, "live", version=1, canary={"version": 2, "weight": 0})
    for version in (1, 2):
        error_of(other.request("DELETE", f"{PATH}@{version}"), "CONFLICT")
    assert other.request("DELETE", f"{PATH}@3").status_code == 204
    assert versions(one) == [2, 1]
    assert put(one, description="x").json()["version"] == 4


def test_a_function_has_at_most_20_aliases(clients: tuple[Client, Client]) -> None:
    one, _ = clients
    make(one, SCRIPT)
    for number in range(20):
        assert alias(one, f"a{number}", version=1).status_code == 201
    refused = alias(one, "b", version=1)
    assert refused.status_code == 409
    error_of(refused, "CONFLICT")
    assert alias(one, "a0", version=1).status_code == 200


def test_versions_come_in_pages(clients: tuple[Client, Client]) -> None:
    one, other = clients
    make(one, *(f"result = {number}" for number in range(5)))
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"?per_page=2&cursor={cursor}" if cursor else "?per_page=2"
        page = other.request("GET", f"{PATH}/versions{query}").json()
        seen += [version["version"] for version in page["versions"]]
        cursor = page["cursor"]
    assert seen == [5, 4, 3, 2, 1]


def test_a_list_is_searched_and_read_by_cursors(clients: tuple[Client, Client]) -> None:
    one, other = clients
    for number in range(5):
        path = f"/api/v1/functions/python-listed{number}"
        put(one, path, script_content=SCRIPT, description=f"number {number}", tags=["odd"] * (number % 2))
    first = other.request("GET", "/api/v1/functions?query=LISTED&per_page=2").json()
    assert (first["total"], first["page"]) == (5, 1)
    seen, page = [each["title"] for each in first["functions"]], first
    while page["cursor"] is not None:
        query = f"query=LISTED&per_page=2&cursor={page['cursor']}"
        page = one.request("GET", f"/api/v1/functions?{query}").json()
        assert set(page) == {"per_page", "functions", "cursor"}
        seen += [each["title"] for each in page["functions"]]
    assert seen == [f"listed{number}" for number in range(5)]
    odd = one.request("GET", "/api/v1/functions?tag=odd").json()["functions"]
    assert [each["title"] for each in odd] == ["listed1", "listed3"]
    for query in (f"page=1&cursor={first['cursor']}", "cursor=x", "cursor=WzFd", "query=%00", "query="):
        refused = one.request("GET", f"/api/v1/functions?{query}")
        assert refused.status_code == 400
        error_of(refused, "INVALID_REQUEST")
