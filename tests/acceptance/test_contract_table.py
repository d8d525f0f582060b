"""Every row of the contract's tables has a test that names it, by `@pytest.mark.covers`."""

import ast
from collections.abc import Iterator
from pathlib import Path

from controller.errors import ClientGone, ServiceError

ROOT = Path(__file__).parents[1]
ERRORS_OF_THE_SPECIFICATION = {
    f"specification 6: {row}"
    for row in (
        "malformed Language-Title 400",
        "unknown runtime 404",
        "error of the script 500",
        "timeout 504",
        "Redis away, goes on",
        "PostgreSQL away, goes on",
    )
}
PARAMETERS_OF_THE_SPECIFICATION = {
    f"specification 9: {name}"
    for name in (
        "REDIS_URL",
        "POSTGRES_URL",
        "CACHE_TTL",
        "REQUEST_TIMEOUT",
        "LOG_LEVEL",
        "METRICS_PORT",
    )
}
STATUSES = {"INVALID_REQUEST": (400, 405, 413, 415), "INVALID_PARAMS": (400,)}


def rows() -> set[str]:
    """What has to be covered: both tables of the specification, and every code that a client may see."""
    codes = {ServiceError.code, *(kind.code for kind in ServiceError.__subclasses__())} - {ClientGone.code}
    several = {f"{code} {status}" for code, statuses in STATUSES.items() for status in statuses}
    codes = codes - STATUSES.keys() | several
    return ERRORS_OF_THE_SPECIFICATION | PARAMETERS_OF_THE_SPECIFICATION | codes


def covered() -> Iterator[str]:
    """What tests say that they cover."""
    for path in sorted(ROOT.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for decorator in node.decorator_list:
                    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith(".covers"):
                        yield from (ast.literal_eval(row) for row in decorator.args)


def test_every_row_has_a_test_and_every_test_names_a_row() -> None:
    assert set(covered()) == rows()
