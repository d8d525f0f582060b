"""Where the public paths lead, read from the HTTPRoute as the Gateway API tells to."""

from typing import cast

import pytest
from werkzeug.exceptions import HTTPException

from controller.web.deployed import EVERY
from controller.web.flask_app import Function, add_routes
from controller.web.route import Route
from controller.web.routes import ROUTES, routes_of
from controller.web.services import Services
from tests.integration.deploy.kubernetes.conftest import OVERLAYS, Built, Document
from tests.integration.deploy.kubernetes.test_manifests import named

FUNCTION = "/function/"
METRICS = "/metrics"
PUBLIC = [one for one in ROUTES if one.function is not EVERY]
IDS = {
    "{request_id}": "8d2f",
    "{language_title}": "python-wordcount",
    "{key_id}": "8e3c",
    "{file}": "app-1A.js",
}
NOT_PUBLIC = [
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
    """Whether the function that the gateway hands this to has such a path. Nothing is called of its services."""
    name, _, rest = path.removeprefix(FUNCTION).partition("/")
    app = Function(name, close=lambda: None, body_max_bytes=0)
    add_routes(app, cast(Services, None), routes_of(name))
    try:
        app.url_map.bind("function").match(f"/{rest}", method)
    except HTTPException:
        return False
    return True


@pytest.mark.parametrize("operation", PUBLIC, ids=lambda one: f"{one.method} {one.paths[0]}")
def test_every_public_path_leads_to_its_function(route: Document, operation: Route) -> None:
    path = operation.paths[0]
    for name, value in IDS.items():
        path = path.replace(name, value)
    behind = behind_the_gateway(route, path)
    assert behind is not None
    assert behind.startswith(f"{FUNCTION}{operation.function.name}")
    assert serves(behind, operation.method)


def test_the_root_and_the_health_lead_to_two_paths_of_one_function(route: Document) -> None:
    """The function leads browsers from the one to the console."""
    places = [behind_the_gateway(route, path) for path in ("/", "/health")]
    assert places == ["/function/health/", "/function/health/health"]


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
