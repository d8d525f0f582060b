"""Reads the source of a Python script, without running it: is it a module with a handler, or a program?

A module is imported: its main guard (`if __name__ == "__main__":`) does not run. A program is run as `__main__`.
"""

import ast
import dis
from collections.abc import Iterator
from enum import Enum, auto
from types import CodeType

#: Names of a handler, the first one found counts.
HANDLERS = ("handle", "handler")
_REQUEST = frozenset({"params", "context"})


class Form(Enum):
    """How a script is run."""

    #: Imported; then its handler is called.
    MODULE = auto()
    #: Run as `__main__`; a handler that it then turns out to have, by `import *` for instance, is called.
    PROGRAM = auto()
    #: Run as `__main__`; a function that is named like a handler serves another purpose.
    BODY = auto()


def form_of(source: str, code: CodeType) -> Form:
    """Return how a script is run.

    A script that defines a handler is a module. One that also assigns `result` is a body if it reads `params` or
    `context` as its globals, or passes the function on, as to `signal.signal`. What stands in the main guard does not
    count.

    Args:
        source: The text.
        code: The compiled text.
    """
    if not set(HANDLERS).intersection(code.co_names):
        return Form.PROGRAM
    guarded = "__main__" in code.co_consts
    if not guarded and not any("result" in inner.co_names for inner in _codes(code)):
        return Form.MODULE if _assigned(code).intersection(HANDLERS) else Form.PROGRAM
    tree = ast.parse(source)
    tree.body = [inner for statement in tree.body for inner in _unguarded(statement)]
    code = compile(tree, "script.py", "exec", dont_inherit=True)
    assigned = _assigned(code)
    if not assigned.intersection(HANDLERS):
        return Form.PROGRAM
    is_body = "result" in assigned and (_reads(code) & _REQUEST - assigned or _serves_otherwise(tree))
    return Form.BODY if is_body else Form.MODULE


def main_guards(source: str) -> CodeType:
    """Return the code of the main guards alone."""
    tree = ast.parse(source)
    tree.body = [statement for statement in tree.body if _is_guard(statement)]
    return compile(tree, "script.py", "exec", dont_inherit=True)


def only_defines(source: str) -> bool:
    """Return whether a script defines functions and then does nothing with them."""
    body = ast.parse(source).body
    functions = {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    return bool(functions) and all(_defines(statement, functions) for statement in body)


def _defines(statement: ast.stmt, functions: set[str]) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        called = {ast.unparse(node.func) for node in ast.walk(statement) if isinstance(node, ast.Call)}
        return not called & functions
    return isinstance(
        statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    )


def _unguarded(statement: ast.stmt) -> list[ast.stmt]:
    return statement.orelse if isinstance(statement, ast.If) and _is_guard(statement) else [statement]


def _is_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Constant) and node.value == "__main__" for node in ast.walk(statement.test)
    )


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code and all codes inside it."""
    pending = [code]
    while pending:
        yield (inner := pending.pop())
        pending += [constant for constant in inner.co_consts if isinstance(constant, CodeType)]


def _assigned(code: CodeType) -> set[str]:
    """Return the globals that a module's code assigns, also in functions that declare them as `global`."""
    top = {found.argval for found in dis.get_instructions(code) if found.opname == "STORE_NAME"}
    return top | _arguments(code, "STORE_GLOBAL")


def _reads(code: CodeType) -> set[str]:
    """Return the globals that a module's code reads, also in functions."""
    top = {found.argval for found in dis.get_instructions(code) if found.opname == "LOAD_NAME"}
    return top | _arguments(code, "LOAD_GLOBAL")


def _arguments(code: CodeType, operation: str) -> set[str]:
    return {
        found.argval
        for inner in _codes(code)
        for found in dis.get_instructions(inner)
        if found.opname == operation
    }


def _serves_otherwise(tree: ast.Module) -> bool:
    """Return whether a function named like a handler is passed on, or cannot be called as a handler."""
    return any(_passes_on(statement) or _takes_too_many(statement) for statement in tree.body)


def _passes_on(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign) and any(_is_handler(target) for target in statement.targets):
        return False  # handler = decorated(handler)
    calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return any(
        _is_handler(argument)
        for call in calls
        for argument in (*call.args, *(keyword.value for keyword in call.keywords))
    )


def _takes_too_many(statement: ast.stmt) -> bool:
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) or statement.name not in HANDLERS:
        return False
    taken = statement.args
    return len(taken.posonlyargs) + len(taken.args) - len(taken.defaults) > 2


def _is_handler(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in HANDLERS
