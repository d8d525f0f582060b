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
KEYS_OF_THE_CONTRACT = {
    f"keys: {row}"
    for row in (
        "made once, used as a bearer token",
        "deleted, refused everywhere within 30 s",
        "expired 401",
        "mistyped 401",
        "malformed request 400",
        "reference to nothing 404",
        "more rights than its maker 403",
        "no scope keys 403, anonymous 401",
        "bound, only by name",
        "write:functions by name",
        "ten unknown ones of an address 429",
        "PostgreSQL away, known ones for a minute",
        "in no log line and no row",
    )
}
STATUSES = {"INVALID_REQUEST": (400, 405, 413, 415), "INVALID_PARAMS": (400,)}


def rows() -> set[str]:
    """What has to be covered: the tables of the specification, what keys promise, and every code for clients."""
    codes = {ServiceError.code, *(kind.code for kind in ServiceError.__subclasses__())} - {ClientGone.code}
    several = {f"{code} {status}" for code, statuses in STATUSES.items() for status in statuses}
    codes = codes - STATUSES.keys() | several
    return ERRORS_OF_THE_SPECIFICATION | PARAMETERS_OF_THE_SPECIFICATION | KEYS_OF_THE_CONTRACT | codes


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
