"""OriginPolicy: what browsers are told."""

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from controller.web.cors import OriginPolicy

PAGE = "https://page.test"


def answer(origins: list[str], method: str = "GET", **headers: str) -> TestResponse:
    app = Flask("cors")
    app.add_url_rule("/", view_func=lambda: "")
    OriginPolicy(origins).observe(app)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return app.test_client().open("/", method=method, headers=named)


def cors_headers(response: TestResponse) -> dict[str, str]:
    return {name: value for name, value in response.headers if name.startswith("Access-Control")}


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_by_default_no_page_may_call(method: str) -> None:
    response = answer([], method, Origin=PAGE, Access_Control_Request_Method="POST")
    assert cors_headers(response) == {}
    assert "Vary" not in response.headers


def test_a_preflight_is_answered_as_the_contract_says() -> None:
    response = answer([PAGE], "OPTIONS", Origin=PAGE, Access_Control_Request_Method="POST")
    assert (response.status_code, response.data) == (204, b"")
    assert cors_headers(response) == {
        "Access-Control-Allow-Origin": PAGE,
        "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
        "Access-Control-Allow-Headers": "Content-Type, Authorization, Language-Title, X-Request-ID, "
        "X-Cache-Control, Idempotency-Key, If-Match, traceparent",
        "Access-Control-Expose-Headers": "X-Request-ID, ETag, Location, Retry-After, RateLimit-Limit, "
        "RateLimit-Remaining, RateLimit-Reset",
        "Access-Control-Max-Age": "86400",
    }


@pytest.mark.parametrize(
    "origin", ["http://page.test", "https://page.test:8443", "https://page.test.evil", "null"]
)
def test_an_origin_has_to_be_the_very_same(origin: str) -> None:
    for method in ("GET", "OPTIONS"):
        response = answer([PAGE], method, Origin=origin, Access_Control_Request_Method="GET")
        assert cors_headers(response) == {}
        assert response.headers["Vary"] == "Origin"


def test_every_page_may_call_where_that_is_chosen() -> None:
    response = answer(["*"], Origin=PAGE)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in response.headers
    assert cors_headers(answer(["*"])) == {}


def test_other_options_requests_are_left_alone() -> None:
    response = answer([PAGE], "OPTIONS", Origin=PAGE)
    assert response.status_code == 200
    assert "GET" in response.headers["Allow"]
