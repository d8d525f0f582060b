"""Every variable that the parts read, found in their settings modules: name, default, unit, meaning."""

import ast
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

PARTS = {
    "controller": ("controller.settings", "controller.auth.settings", "controller.limits.settings"),
    "runtime": ("runtime.settings",),
}
VARIABLE = re.compile(r"[A-Z][A-Z_]+")
UNITS = {"Seconds": "s", "Milliseconds": "ms", "Bytes": "bytes", "Days": "days"}
SUFFIXES = {"BYTES": "bytes", "SECONDS": "s"}
COMPUTED = "computed"
"""Stands for a default that depends on the machine; the meaning tells how."""


class Unreadable(Exception):
    """A settings module does not say what it should. The message is one line that names the field."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable. `default` is None where there is none."""

    name: str
    default: str | None
    meaning: str

    @property
    def unit(self) -> str:
        first = self.meaning.split()[0].rstrip(";,.")
        return UNITS.get(first, "") or SUFFIXES.get(self.name.rpartition("_")[2], "")

    @property
    def secret(self) -> bool:
        return self.name.endswith("_SECRET")


def variables(part: str) -> list[Variable]:
    """The variables of `controller` or `runtime`, by their names. Raises Unreadable."""
    found = {
        variable.name: variable for name in PARTS[part] for variable in variables_of(import_module(name))
    }
    return sorted(found.values(), key=lambda variable: variable.name)


def variables_of(module: ModuleType) -> Iterator[Variable]:
    """Each field of a settings class has its meaning below it, and its variable where the class is made."""
    tree = ast.parse(Path(str(module.__file__)).read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    meanings = {name: _meanings(node) for name, node in classes.items()}
    for name, node in classes.items():
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                made = name if call.func.id == "cls" else call.func.id
                if made in meanings:
                    plain = [field for field in call.keywords if not _makes(field.value, meanings)]
                    yield from _of_fields(plain, meanings[made], _assigned(node), module)


def _meanings(node: ast.ClassDef) -> dict[str, str]:
    return {
        field.target.id: " ".join(str(text.value.value).split())
        for field, text in zip(node.body, node.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def _assigned(node: ast.ClassDef) -> dict[str, ast.expr]:
    """Local names, and what they stand for."""
    return {
        target.id: assignment.value
        for assignment in ast.walk(node)
        if isinstance(assignment, ast.Assign)
        for target in assignment.targets
        if isinstance(target, ast.Name)
    }


def _makes(value: ast.expr, classes: Container[str]) -> bool:
    """Whether it makes one of the classes, whose fields are read for themselves."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in classes


def _of_fields(
    fields: Sequence[ast.keyword], meanings: dict[str, str], assigned: dict[str, ast.expr], module: ModuleType
) -> Iterator[Variable]:
    for keyword in fields:
        names = [node.id for node in ast.walk(keyword.value) if isinstance(node, ast.Name)]
        reads = [
            *_reads(keyword.value),
            *(read for name in names if name in assigned for read in _reads(assigned[name])),
        ]
        if not reads:
            continue
        if keyword.arg not in meanings:
            raise Unreadable(f"{module.__name__}: the field {keyword.arg} has no meaning below it")
        name, default = reads[0]
        text = None if default is None else _text(default, module, name)
        yield Variable(name, text, meanings[keyword.arg])


def _reads(node: ast.expr) -> list[tuple[str, ast.expr | None]]:
    """Variables that an expression reads, the innermost first, each with the expression of its default."""
    found: list[tuple[str, ast.expr | None]] = []
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            for place, argument in enumerate(call.args):
                if isinstance(argument, ast.Constant) and VARIABLE.fullmatch(str(argument.value)):
                    found.append((str(argument.value), next(iter(call.args[place + 1 :]), None)))
    return found[::-1]


def _text(default: ast.expr, module: ModuleType, name: str) -> str:
    try:
        value = _value(default, module)
    except ValueError:
        return COMPUTED
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _value(node: ast.expr, module: ModuleType) -> Any:
    """What an expression of constants stands for; raises ValueError for any other."""
    match node:
        case ast.Name(id=name) if name in vars(module):
            return vars(module)[name]
        case ast.BinOp(left=left, op=ast.LShift(), right=right):
            return _value(left, module) << _value(right, module)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _value(left, module) * _value(right, module)
        case ast.Call(func=ast.Name(id="list"), args=[argument]):
            return list(_value(argument, module))
        case _:
            return ast.literal_eval(node)
