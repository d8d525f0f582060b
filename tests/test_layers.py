"""The plan of the house, held true: imports point down, in no circle, and stand at the top of their module."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = (
    {"controller.app"},
    {
        "controller.web.views",
        "controller.web.execute",
        "controller.web.cors",
        "controller.web.flask_app",
        "controller.exchange",
        "controller.web.id_fallback",
    },
    {"controller.web.openapi.document", "controller.web.openapi.operations"},
    {
        "controller.web.parsing",
        "controller.auth.authenticator",
        "controller.execution.workflow",
        "controller.execution.single_flight",
        "controller.execution.idempotency",
        "controller.health",
    },
    {
        "controller.registry.sessions",
        "controller.registry.session_status",
        "controller.limits.rate_limit",
        "controller.call_log",
        "controller.registry.functions",
        "controller.execution.params_schema",
        "controller.limits.quotas",
        "controller.registry.scripts",
        "controller.runtimes.selector",
        "controller.runtimes.mappings_file",
        "controller.runtimes.kubernetes",
        "controller.runtimes.endpoint_slices",
        "controller.runtimes.client",
        "controller.runtimes.responses",
        "controller.maintenance",
    },
    {"controller.cache", "controller.database", "controller.runtimes.transport"},
    {
        "controller.models.registered",
        "controller.observability.metrics",
        "telemetry.metrics_server",
        "controller.web.request_schemas",
        "controller.web.openapi.response_schemas",
        "controller.strict_json",
        "controller.web.body",
    },
    {
        "controller.errors",
        "telemetry.operation_timer",
        "controller.settings",
        "controller.environment",
        "controller.auth.settings",
        "controller.auth.signing_keys",
        "controller.observability.logs",
        "telemetry.tracing",
        "telemetry.otel",
        "telemetry.span_export",
    },
    {"controller.observability.masking"},
    {"controller.json_codec"},
    {"controller"},
)
PACKAGES = ("controller", "runtime", "function", "local")
FORBIDDEN = {
    "controller": ("runtime", "function", "local", "tests"),
    "runtime": ("controller", "function", "local", "tests"),
    "function": ("local", "tests"),
    "local": ("tests",),
}


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            yield name, ast.parse(path.read_text())


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import of {node.module}"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def layer_of(module: str) -> int:
    for depth, layer in enumerate(LAYERS):
        if any(
            module == member or (member != "controller" and module.startswith(f"{member}."))
            for member in layer
        ):
            return depth
    pytest.fail(f"{module} has no place in LAYERS")


def test_every_module_of_the_controller_imports_downwards() -> None:
    known = {name for name, _ in modules("controller")}
    upward = [
        f"{name} imports {other}"
        for name, tree in modules("controller")
        for other in imported(tree) & known
        if layer_of(other) < layer_of(name)
    ]
    assert upward == []


def test_no_package_reaches_into_one_above_it() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, tree in modules(*PACKAGES)
        for other in imported(tree)
        if other.split(".")[0] in FORBIDDEN[name.split(".")[0]]
    ]
    assert wrong == []


def test_imports_make_no_circle() -> None:
    trees = dict(modules(*PACKAGES))
    graph = {name: (imported(tree) & trees.keys()) - {name} for name, tree in trees.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")
    assert set(order) == trees.keys()


def test_no_function_imports() -> None:
    inside = [
        f"{name}:{node.lineno} {function.name}"
        for name, tree in modules(*PACKAGES)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == []
