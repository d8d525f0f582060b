"""Turns the result of a Python script into JSON, or finds the value in it that JSON cannot represent."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from runtime.workers.protocol import ScriptError, any_digits

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
#: Integers of fewer bits have less than 4300 digits.
_BITS_ALWAYS_WRITTEN = 14_000
_TEXT = frozenset({str})
#: A key that may have been none in Python. Two keys can only be equal in JSON if one of them was not a str.
_LIKE_A_VALUE = re.compile(r'"(?:-?[0-9][^"]*|true|false|null)":')


def encode_result(result: Any) -> bytes:
    """Return a result as JSON in UTF-8.

    Raises:
        ScriptError: It cannot be represented; the message has the JSON pointer of the value (kind result_not_json).
    """
    try:
        text = _written(result)
        if '":' in text and _LIKE_A_VALUE.search(text) and (fault := _first_fault(result)):
            raise fault
    except ScriptError:
        raise
    except RecursionError:
        raise _not_json("the result is nested too deeply", result) from None
    except MemoryError:
        raise ScriptError(
            "there is not enough memory for the result", kind="memory_limit", type="MemoryError"
        ) from None
    except Exception as error:  # noqa: BLE001 - subclasses of dict and list run the script's code
        raise _fault_or_reason(result, error) from None
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: JSON has it as an escape sequence only
        with any_digits():
            return json.dumps(result, separators=(",", ":")).encode()


def _written(result: Any) -> str:
    try:
        return _ENCODER.encode(result)
    except ValueError:  # an integer may have more digits than Python writes by default
        with any_digits():
            return _ENCODER.encode(result)


def _fault_or_reason(result: Any, error: Exception) -> ScriptError:
    """Return the place of the fault, or only `error` if the search fails in the script's code too."""
    reason = _not_json(f"the result cannot be written as JSON: {type(error).__name__}", result)
    try:
        return _first_fault(result) or reason
    except Exception:  # noqa: BLE001 - see above
        return reason


def _first_fault(result: Any) -> ScriptError | None:
    """Search depth first, without recursion, because the value may be nested to any depth."""
    path: list[Any] = []
    ancestors: list[int] = []
    inside: set[int] = set()
    open_containers: list[Iterator[tuple[Any, Any]]] = []
    value = result
    while True:
        if id(value) in inside:
            return _not_json(f"the result contains itself {_place(path)}", value)
        if fault := _fault(value):
            return _not_json(f"the result holds {fault} {_place(path)}", value)
        if isinstance(value, (dict, list, tuple)):
            open_containers.append(iter(value.items()) if isinstance(value, dict) else enumerate(value))
            ancestors.append(id(value))
            inside.add(id(value))
            path.append(None)
        while open_containers:
            if (entry := next(open_containers[-1], None)) is not None:
                path[-1], value = entry
                break
            open_containers.pop()
            inside.discard(ancestors.pop())
            path.pop()
        else:
            return None


def _fault(value: Any) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return _fault_of_keys(value)
    if value is None or isinstance(value, (str, int, float, bool, list, tuple)):
        return None
    return f"a value of type {type(value).__name__}"


def _fault_of_keys(value: dict[Any, Any]) -> str | None:
    if _TEXT.issuperset(map(type, value)):
        return None
    seen: set[str] = set()
    for key in value:
        if not isinstance(key, (str, int, float, bool, type(None))):
            return f"a key of type {type(key).__name__}"
        if isinstance(key, float) and not math.isfinite(key):
            return f"the key {key}"
        text = _key_text(key)
        if text in seen:
            return f"two keys that are {json.dumps(text)} in JSON"
        seen.add(text)
    return None


def _key_text(key: Any) -> str:
    """Return a key as JSON has it."""
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, float):
        return float.__repr__(key)
    if key is None or isinstance(key, bool):
        return json.dumps(key)
    if int.bit_length(key) < _BITS_ALWAYS_WRITTEN:
        return int.__repr__(key)
    with any_digits():
        return int.__repr__(key)


def _place(path: list[Any]) -> str:
    pointer = "".join(f"/{_key_text(step).replace('~', '~0').replace('/', '~1')}" for step in path)
    return f"at {pointer}" if pointer else "as a whole"


def _not_json(message: str, value: Any) -> ScriptError:
    return ScriptError(message, kind="result_not_json", type=type(value).__name__)
