"""Where the public paths lead, read from the HTTPRoute as the Gateway API tells to."""

from typing import cast

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException

from controller.web.openapi.operations import OPERATIONS, Operation
from controller.web.views import BLUEPRINTS, Services
from tests.integration.deploy.kubernetes.conftest import OVERLAYS, Built
from tests.integration.deploy.kubernetes.schemas import Document
from tests.integration.deploy.kubernetes.test_manifests import named

FUNCTION = "/function/"
METRICS = "/metrics"
PUBLIC = [one for one in OPERATIONS if one.path != METRICS]
IDS = {"{request_id}": "8d2f", "{language_title}": "python-wordcount"}
NOT_PUBLIC = [
    "/",
    "/metrics",
    "/healthz",
    "/health/",
    "/ui/",
    "/system/functions",
    "/async-function/execute/8d2f",
    "/function/execute/8d2f",
    "/function/runtime-python/runtime/python/title",
    "/api/v1",
    "/api/v1/executes/8d2f",
    "/runtime/python/title",
]
SCRAPED = [
    f"/api/v1/{name}/metrics{end}"
    for name in ("initialize", "execute", "sessions", "functions")
    for end in ("", "/")
]


@pytest.fixture(scope="module", params=["base", *OVERLAYS])
def route(request: pytest.FixtureRequest, built: Built) -> Document:
    return named(built(request.param), "HTTPRoute", "lambda-microservice")


def behind_the_gateway(route: Document, path: str) -> str | None:
    """What OpenFaaS's gateway is asked for; None: no rule fits. Exact paths come first, then the longest prefix."""
    fitting = [
        (match["path"]["type"] == "Exact", len(match["path"]["value"]), match["path"], rule)
        for rule in route["spec"]["rules"]
        for match in rule["matches"]
        if fits(match["path"], path)
    ]
    if not fitting:
        return None
    _, _, match, rule = max(fitting, key=lambda one: one[:2])
    assert [(one["name"], one["port"]) for one in rule["backendRefs"]] == [("gateway", 8080)]
    [rewriting] = [one["urlRewrite"]["path"] for one in rule["filters"]]
    if rewriting["type"] == "ReplaceFullPath":
        return str(rewriting["replaceFullPath"])
    return f"{rewriting['replacePrefixMatch']}{path.removeprefix(match['value'])}"


def fits(match: Document, path: str) -> bool:
    """A prefix counts by whole elements of the path."""
    value = match["value"]
    return path == value or (match["type"] == "PathPrefix" and path.startswith(f"{value}/"))


def serves(path: str, method: str) -> bool:
    """Whether the function that the gateway hands this to has such a path."""
    name, _, rest = path.removeprefix(FUNCTION).partition("/")
    app = Flask("routes", static_folder=None)
    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    app.register_blueprint(BLUEPRINTS[name](cast(Services, None)))
    try:
        app.url_map.bind("function").match(f"/{rest}", method)
    except HTTPException:
        return False
    return True


@pytest.mark.parametrize("operation", PUBLIC, ids=lambda one: f"{one.method} {one.path}")
def test_every_public_path_leads_to_its_function(route: Document, operation: Operation) -> None:
    path = operation.path
    for name, value in IDS.items():
        path = path.replace(name, value)
    behind = behind_the_gateway(route, path)
    assert behind is not None
    assert behind.startswith(FUNCTION)
    assert serves(behind, operation.method.upper())


@pytest.mark.parametrize("path", NOT_PUBLIC)
def test_nothing_else_of_the_platform_can_be_reached(route: Document, path: str) -> None:
    assert behind_the_gateway(route, path) is None


@pytest.mark.parametrize("path", SCRAPED)
def test_metrics_are_not_for_clients(route: Document, path: str) -> None:
    """Every function answers /metrics; what stands below it is a path that none has."""
    behind = behind_the_gateway(route, path)
    assert behind is not None
    assert not behind.rstrip("/").endswith(METRICS)
    assert not serves(behind, "GET")


def test_nobody_is_served_without_tls_in_production(built: Built) -> None:
    documents = built("overlays/prod")
    gateway = named(documents, "Gateway", "lambda-microservice")["spec"]
    protocols = {one["name"]: one["protocol"] for one in gateway["listeners"]}
    [parent] = named(documents, "HTTPRoute", "lambda-microservice")["spec"]["parentRefs"]
    assert protocols[parent["sectionName"]] == "HTTPS"
    redirect = named(documents, "HTTPRoute", "lambda-microservice-redirect")["spec"]
    assert protocols[redirect["parentRefs"][0]["sectionName"]] == "HTTP"
    assert [one["type"] for rule in redirect["rules"] for one in rule["filters"]] == ["RequestRedirect"]
    assert not any("backendRefs" in rule for rule in redirect["rules"])
