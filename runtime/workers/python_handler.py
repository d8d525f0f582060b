"""Finds the handler of a Python script, and which arguments to pass to it."""

import inspect
from collections.abc import Callable
from typing import Any

from runtime.workers.protocol import ScriptError

FORMS = (
    "def handle(params), def handler(event), def handle(event, context) or def handler(event, context), each also"
    " async, or a body that assigns result"
)

Handler = Callable[[dict[str, Any], dict[str, Any]], Any]


class Event(dict[str, Any]):
    """The event of a handler: the keys params and context, also as attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def find_handler(namespace: dict[str, Any]) -> Handler | None:
    """Return the handler in a module's namespace, wrapped to take params and context; None if there is none."""
    for name in ("handle", "handler"):
        function = namespace.get(name)
        if callable(function):
            return _adapted(name, function)
    return None


def _adapted(name: str, function: Callable[..., Any]) -> Handler:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-in functions have no signature
        parameters = []
        count = 1
    else:
        count = _argument_count(name, parameters)
    wants_params = _first_name(parameters) == "params" or (name == "handle" and count == 1)

    def call(params: dict[str, Any], context: dict[str, Any]) -> Any:
        first = params if wants_params else Event(params=params, context=context)
        return function(*(first, context)[:count])

    return call


def _argument_count(name: str, parameters: list[inspect.Parameter]) -> int:
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = sum(p.default is p.empty for p in positional)
    needs_keywords = any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters)
    if required > 2 or needs_keywords:
        raise ScriptError(f"{name} cannot be called with its parameters; the script may have one of: {FORMS}")
    if required == 2 or (len(positional) >= 2 and positional[1].name == "context"):
        return 2
    if positional:
        return 1
    takes_any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return 2 if takes_any_number else 0


def _first_name(parameters: list[inspect.Parameter]) -> str | None:
    return parameters[0].name if parameters else None
