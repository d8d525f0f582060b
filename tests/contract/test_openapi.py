"""docs/openapi.yaml: current, and the same as the contract's table of errors and as what the code can raise."""

import re
from typing import Any

import msgspec
import pytest
import yaml

from controller.errors import ClientGone, ServiceError
from controller.json_codec import dumps
from controller.web.deployed import EVERY, HEALTH
from controller.web.openapi.document import document
from controller.web.openapi.examples import EXAMPLES
from controller.web.openapi.reference import REFERENCE
from controller.web.routes import ROUTES
from tests.conftest import ROOT
from tools.docs.openapi import text

WRITTEN = ROOT / "docs" / "openapi.yaml"
#: The contract's table: code to statuses.
CODES = {
    "INVALID_REQUEST": {400, 405, 413, 415},
    "INVALID_PARAMS": {400},
    "UNAUTHORIZED": {401},
    "FORBIDDEN": {403},
    "NOT_FOUND": {404},
    "IDEMPOTENCY_CONFLICT": {409},
    "CONFLICT": {409},
    "PRECONDITION_FAILED": {412},
    "RATE_LIMITED": {429},
    "INITIALIZATION_ERROR": {400},
    "RUNTIME_ERROR": {500},
    "TIMEOUT": {504},
    "RUNTIME_UNAVAILABLE": {503},
    "STORE_UNAVAILABLE": {503},
    "INTERNAL_ERROR": {500},
}
HEADERS = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}


def responses() -> list[tuple[int, list[str], dict[str, Any]]]:
    """Every failure that the document knows: status, codes, and what it says of it."""
    found = []
    for name, described in yaml.safe_load(WRITTEN.read_text())["components"]["responses"].items():
        _, code = described["content"]["application/json"]["schema"]["allOf"]
        codes = code["properties"]["error"]["properties"]["code"]["enum"]
        found.append((int(name.split("-")[0]), codes, described))
    return found


def test_the_file_is_current() -> None:
    assert WRITTEN.read_text() == text(), "run make openapi"


def test_it_has_the_codes_and_statuses_of_the_contract() -> None:
    documented: dict[str, set[int]] = {}
    for status, codes, _ in responses():
        for code in codes:
            documented.setdefault(code, set()).add(status)
    assert documented == CODES


def test_whatever_the_service_raises_is_documented() -> None:
    raised = {kind.code: kind.status for kind in ServiceError.__subclasses__() if kind is not ClientGone}
    assert {code for code, status in raised.items() if status not in CODES.get(code, set())} == set()


def test_failures_tell_the_headers_that_come_with_them() -> None:
    for status, _, described in responses():
        assert set(described["headers"]) == {"X-Request-ID", *HEADERS.get(status, ())}


@pytest.mark.parametrize("path", sorted(document()["paths"]))
def test_a_call_with_a_token_may_be_refused_for_it(path: str) -> None:
    for call in document()["paths"][path].values():
        assert ("security" in call) == ({"401", "403", "429"} <= set(call["responses"]))


def test_each_call_of_the_api_has_an_example() -> None:
    assert EXAMPLES.keys() == {route.name for route in ROUTES if route.function not in (HEALTH, EVERY)}
    for route in ROUTES:
        if (example := EXAMPLES.get(route.name)) is None:
            continue
        assert (example.body is None) == (route.body is None)
        assert (example.answer is None) == (route.answer is None)
        if route.body is not None and example.body is not None:
            route.body().load(example.body)
        if isinstance(route.answer, type):
            # `msgspec.Raw` is read from text alone.
            assert msgspec.json.decode(dumps(example.answer), type=route.answer)
        named = [one for one in route.parameters if one.get("required")]
        assert [one["name"] for one in named if not one["schema"].get("examples")] == []


def test_the_page_asks_for_its_own_files_alone() -> None:
    page = REFERENCE.html.read_text()
    named = re.findall(r'(?:src|href)="(.*?)"', page)
    assert {name.removeprefix("docs/") for name in named} == {*REFERENCE.files, "openapi.json", "data:,"}
    assert "<style" not in page and "style=" not in page
    assert all("<script src=" in line for line in page.splitlines() if "<script" in line)
    assert all(path.is_file() for path in REFERENCE.files.values())
