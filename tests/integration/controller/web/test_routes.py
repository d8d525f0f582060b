"""Every row of the table of routes, on all of its paths: its token, and the owner before the scope."""

import uuid
from typing import Any

import pytest
import requests

from controller.web.route import Route
from controller.web.routes import ROUTES
from tests.acceptance.client import ALL_SCOPES, Client, error_of
from tests.integration.controller.pair import SCRIPT, Pair

TITLE = "python-routed"
KEY = {"name": "routed", "scope": "execute:python"}
#: Files, which are there when they were built. Their own tests ask for them.
BUILT = ("console", "console_file", "docs_file")
ROWS = [
    (route, path) for route in ROUTES if route.name not in BUILT for path in (*route.paths, *route.aliases)
]
#: The bodies of routes that refuse an empty one before they look for an owner.
BODIES: dict[str, dict[str, Any]] = {"put_alias": {"version": 1}, "create_key": KEY}
BEHIND_A_TOKEN = [(route, path) for route, path in ROWS if route.permission is not None]
#: All who may make a function may put one.
OWNED = [row for row in BEHIND_A_TOKEN if "{" in row[1] and row[0].name != "put_function"]


def name(value: object) -> str:
    return value.method if isinstance(value, Route) else str(value)


@pytest.fixture(scope="module")
def owner(pair: Pair) -> Client:
    one, _ = pair.clients(f"{ALL_SCOPES} keys")
    return one


@pytest.fixture(scope="module")
def session(owner: Client) -> str:
    return owner.begin(TITLE, SCRIPT)


@pytest.fixture(scope="module")
def ids(owner: Client, session: str) -> dict[str, str]:
    """What the owner has, by the names of ids in paths."""
    made = owner.request("POST", "/api/v1/keys", json=KEY).json()
    named = dict.fromkeys(("language_title", "function_ref"), TITLE)
    packed = {"script_content": SCRIPT, "packages": ["seen"]}
    digest = owner.request("PUT", f"/api/v1/functions/{TITLE}", json=packed).json()["environment"]
    return {"request_id": session, "alias": "live", "key_id": made["key_id"], "digest": digest, **named}


def ask(client: Client, route: Route, path: str, ids: dict[str, str]) -> requests.Response:
    body = None if route.body is None else BODIES.get(route.name, {})
    return client.request(route.method, path.format(**ids), json=body, headers={"Language-Title": TITLE})


@pytest.mark.parametrize(("route", "path"), ROWS, ids=name)
def test_a_route_needs_a_token_where_its_row_says_so(owner: Client, route: Route, path: str) -> None:
    answer = requests.request(
        route.method, owner.url + path, json=None if route.body is None else {}, timeout=60
    )
    if route.permission is None:
        assert answer.status_code == route.status
    else:
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(("route", "path"), BEHIND_A_TOKEN, ids=name)
def test_a_token_without_the_scope_is_told_of_what_is_its_owners_alone(
    owner: Client, ids: dict[str, str], route: Route, path: str
) -> None:
    powerless = owner.speaking_for(owner.sub, scope="other")
    error_of(ask(powerless, route, path, ids), "FORBIDDEN")


@pytest.mark.parametrize(("route", "path"), OWNED, ids=name)
def test_what_is_not_the_callers_is_not_found_before_the_scope_is_looked_at(
    owner: Client, ids: dict[str, str], route: Route, path: str
) -> None:
    stranger = owner.speaking_for(f"user-{uuid.uuid4()}", scope="other")
    error_of(ask(stranger, route, path, ids), "NOT_FOUND")


def test_what_was_refused_was_not_done(owner: Client, session: str, ids: dict[str, str]) -> None:
    assert [key["key_id"] for key in owner.request("GET", "/api/v1/keys").json()["keys"]] == [ids["key_id"]]
    assert owner.session(session).json()["status"] == "active"
    assert owner.request("GET", f"/api/v1/functions/{TITLE}").status_code == 200
