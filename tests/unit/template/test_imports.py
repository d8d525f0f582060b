"""The template's modules have no import circle. import-linter checks packages only, and these are plain modules."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

TEMPLATE = Path(__file__).parents[3] / "template" / "python3-gevent"


def imported(path: Path) -> set[str]:
    """Return the modules that a module imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_modules_have_no_import_circle() -> None:
    modules = {path.stem: imported(path) for path in TEMPLATE.glob("*.py")}
    graph = {name: others & modules.keys() for name, others in modules.items()}

    order = list(TopologicalSorter(graph).static_order())

    assert order.index("http_connection") < order.index("http_worker")
