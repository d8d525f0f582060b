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
    for name in ("REDIS_URL", "POSTGRES_URL", "CACHE_TTL", "REQUEST_TIMEOUT", "LOG_LEVEL", "METRICS_PORT")
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
FUNCTIONS_OF_THE_CONTRACT = {
    f"functions: {row}"
    for row in (
        "shown as they were put",
        "unknown member, schema that is none, remote reference 400",
        "schema that takes long to put 400",
        "references that multiply, backtracking 400",
        "params whose check takes long 400, others under 50 ms",
        "schemas hold on all ways of running",
        "verify tells what differs",
        "PUTs at the same time make a version each",
        "reference with two @ 400, PUT on a reference 405",
        "alias to nothing 404, weight outside 0 to 1 400",
        "version in use 409",
        "by name as by id, with the version",
        "canary split by request",
        "rollback under load, no 5xx, known within a second",
        "PostgreSQL away, known ones run, changes 503",
        "anonymous callers change nothing",
    )
}
PACKAGES_OF_THE_CONTRACT = {
    f"packages: {row}"
    for row in (
        "declared in the script or in the field, never both",
        "other sources, options and malformed names 400",
        "declarations are read in linear time",
        "one build for all who ask",
        "the same declaration of a user keeps its lock",
        "a version and a session pin their environment",
        "results of two environments are two",
        "a runtime that lacks parts gets them",
        "a killed builder leaves no half environment",
        "no longer than PACKAGES_WAIT, and the work goes on",
        "owners alone see an environment",
        "switched off with a sentence",
    )
}
HISTORY_OF_THE_CONTRACT = {
    f"history: {row}"
    for row in (
        "own executions alone, masked, the newest first",
        "executions of a version or of an alias",
        "pages of executions have each once",
        "figures count each execution once",
        "malformed range, filter and cursor 400",
        "no token 401, bound key and no scope 403",
    )
}
PAGES_OF_THE_CONTRACT = {
    f"pages: {row}"
    for row in (
        "files with a hash are kept, the page is not",
        "no other file is served",
        "a page runs its own files alone",
        "the root leads browsers to the console",
    )
}
STATUSES = {"INVALID_REQUEST": (400, 405, 413, 415), "INVALID_PARAMS": (400,)}


def rows() -> set[str]:
    """What has to be covered: the specification's tables, what 1.1 promises, every code for clients."""
    codes = {ServiceError.code, *(kind.code for kind in ServiceError.__subclasses__())} - {ClientGone.code}
    several = {f"{code} {status}" for code, statuses in STATUSES.items() for status in statuses}
    codes = codes - STATUSES.keys() | several
    promised = FUNCTIONS_OF_THE_CONTRACT | KEYS_OF_THE_CONTRACT | PACKAGES_OF_THE_CONTRACT
    promised = promised | HISTORY_OF_THE_CONTRACT | PAGES_OF_THE_CONTRACT
    return ERRORS_OF_THE_SPECIFICATION | PARAMETERS_OF_THE_SPECIFICATION | promised | codes


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
