"""Finds the handler of a Python script, and which arguments to pass to it."""

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

from runtime.workers.protocol import ScriptError
from runtime.workers.python_source import HANDLERS

FORMS = (
    "def handle(params), def handler(event), def handle(event, context) or def handler(event, context), each also"
    " async, or a body that assigns result"
)

Handler = Callable[[dict[str, Any], dict[str, Any]], Any]
_Parameters = list[inspect.Parameter]
#: Most wrappers around a decorated handler that are looked into.
_WRAPPERS_MAX = 50


class Event(dict[str, Any]):
    """The event of a handler: the keys params and context, also as attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a plain dict: no other process could import this class."""
        return dict, (dict(self),)

    def __copy__(self) -> "Event":
        return Event(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Event":
        return Event(copy.deepcopy(dict(self), memo))


def find_handler(namespace: dict[str, Any]) -> Handler | None:
    """Return the handler in a module's namespace, wrapped to take params and context; None if there is none.

    Raises:
        ScriptError: It cannot be called with its parameters.
    """
    for name in HANDLERS:
        function = namespace.get(name)
        if callable(function):
            return _adapted(name, function)
    return None


def _adapted(name: str, function: Callable[..., Any]) -> Handler:
    parameters = _parameters(name, function)
    if parameters is None:  # some built-in functions have no signature
        parameters, count = [], 1
    else:
        count = _argument_count(name, parameters)
    wants_params = _first_name(parameters) == "params" or (name == "handle" and count == 1)
    keywords = _keywords(name, parameters, count)

    def call(params: dict[str, Any], context: dict[str, Any]) -> Any:
        first = params if wants_params else Event(params=params, context=context)
        return function(*(first, context)[:count])

    def call_with_keywords(params: dict[str, Any], context: dict[str, Any]) -> Any:
        known = {"params": params, "context": context, "event": Event(params=params, context=context)}
        first = params if wants_params else known["event"]
        return function(*(first, context)[:count], **{keyword: known[keyword] for keyword in keywords})

    return call_with_keywords if keywords else call


def _parameters(name: str, function: Callable[..., Any]) -> _Parameters | None:
    """Return the parameters of a handler; those of the function inside if a decorator's wrapper takes anything."""
    own = _signature(function, follow_wrapped=False)
    if own is not None and not _takes_anything(own):
        return own
    if hasattr(function, "__wrapped__"):
        followed = _signature(function, follow_wrapped=True)
        if followed is not None and not _takes_anything(followed):
            return followed
    inner = _function_inside(name, function)
    return own if inner is None else _signature(inner, follow_wrapped=False)


def _signature(function: Callable[..., Any], *, follow_wrapped: bool) -> _Parameters | None:
    try:
        return list(inspect.signature(function, follow_wrapped=follow_wrapped).parameters.values())
    except (TypeError, ValueError):
        return None


def _takes_anything(parameters: _Parameters) -> bool:
    return any(p.kind is p.VAR_POSITIONAL for p in parameters)


def _function_inside(name: str, wrapper: Any) -> Callable[..., Any] | None:
    """Return the function that a wrapper holds in its closure or attributes.

    It is the one that was defined as `name`, else the only one that a handler's arguments fit.
    """
    pending, seen, others = [wrapper], {id(wrapper)}, []
    while pending and len(seen) < _WRAPPERS_MAX:
        found = pending.pop(0)
        if found is not wrapper and inspect.isfunction(found) and _fits(found):
            if found.__name__ == name:
                return found
            others.append(found)
            continue
        for held in _held(found):
            if callable(held) and id(held) not in seen:
                seen.add(id(held))
                pending.append(held)
    return others[0] if len(others) == 1 else None


def _fits(function: Callable[..., Any]) -> bool:
    own = _signature(function, follow_wrapped=False)
    return own is not None and not _takes_anything(own) and len(own) > 0 and _required(own) <= 2


def _held(wrapper: Any) -> list[Any]:
    """Return what a function closes over, or an object has as attributes."""
    held = [*getattr(wrapper, "__dict__", {}).values()]
    if inspect.ismethod(wrapper):
        held += [wrapper.__func__, wrapper.__self__]
    if isinstance(wrapper, functools.partial):
        held += [wrapper.func, *wrapper.args]
    for cell in getattr(wrapper, "__closure__", None) or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            continue
    return held


def _positional(parameters: _Parameters) -> _Parameters:
    return [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _required(parameters: _Parameters) -> int:
    return sum(p.default is p.empty for p in _positional(parameters))


def _argument_count(name: str, parameters: _Parameters) -> int:
    positional, required = _positional(parameters), _required(parameters)
    if required > 2:
        raise _not_callable(name)
    if required == 2 or (len(positional) >= 2 and positional[1].name == "context"):
        return 2
    if positional:
        return 1
    return 2 if _takes_anything(parameters) else 0


def _keywords(name: str, parameters: _Parameters, count: int) -> list[str]:
    """Return which of params, event and context are passed by name: to parameters that take nothing else."""
    if not count and any(p.kind is p.VAR_KEYWORD for p in parameters):
        return ["params" if name == "handle" else "event", "context"]
    by_name = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    known = [p.name for p in by_name if p.name in ("params", "event", "context")]
    if any(p.default is p.empty and p.name not in known for p in by_name):
        raise _not_callable(name)
    return known


def _not_callable(name: str) -> ScriptError:
    return ScriptError(f"{name} cannot be called with its parameters; the script may have one of: {FORMS}")


def _first_name(parameters: _Parameters) -> str | None:
    return parameters[0].name if parameters else None
