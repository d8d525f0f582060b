"""Turns the result of a Python script into JSON, or finds the value in it that JSON cannot represent."""

import json
import math
from typing import Any

from runtime.workers.protocol import ScriptError

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode_result(result: Any) -> bytes:
    """Return a result as JSON in UTF-8.

    Raises:
        ScriptError: It cannot be represented; the message has the JSON pointer of the value (kind result_not_json).
    """
    try:
        text = _ENCODER.encode(result)
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
        return json.dumps(result, separators=(",", ":")).encode()


def _fault_or_reason(result: Any, error: Exception) -> ScriptError:
    """Return the place of the fault, or only `error` if the search fails in the script's code too."""
    reason = _not_json(f"the result cannot be written as JSON: {type(error).__name__}", result)
    try:
        return _first_fault(result) or reason
    except Exception:  # noqa: BLE001 - see above
        return reason


def _first_fault(result: Any) -> ScriptError | None:
    """Search depth first, without recursion, because the value may be nested to any depth."""
    pending: list[tuple[Any, str, tuple[int, ...]]] = [(result, "", ())]
    while pending:
        value, pointer, ancestors = pending.pop()
        if id(value) in ancestors:
            return _not_json(f"the result contains itself {_place(pointer)}", value)
        if fault := _fault(value):
            return _not_json(f"the result holds {fault} {_place(pointer)}", value)
        inner = (*ancestors, id(value))
        if isinstance(value, dict):
            children = [(child, f"{pointer}/{_escaped(key)}", inner) for key, child in value.items()]
        elif isinstance(value, (list, tuple)):
            children = [(child, f"{pointer}/{index}", inner) for index, child in enumerate(value)]
        else:
            continue
        pending.extend(reversed(children))
    return None


def _fault(value: Any) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        wrong = [key for key in value if not isinstance(key, (str, int, float, bool, type(None)))]
        return f"a key of type {type(wrong[0]).__name__}" if wrong else None
    if value is None or isinstance(value, (str, int, float, bool, list, tuple)):
        return None
    return f"a value of type {type(value).__name__}"


def _place(pointer: str) -> str:
    return f"at {pointer}" if pointer else "as a whole"


def _escaped(key: Any) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _not_json(message: str, value: Any) -> ScriptError:
    return ScriptError(message, kind="result_not_json", type=type(value).__name__)
