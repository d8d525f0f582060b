"""Runs the examples of a version before it is made, and tells what differs."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any

import jsonpatch
import msgspec

from controller.call import Call
from controller.errors import InitializationFailed, ServiceError
from controller.execution.new_sessions import SessionBounds, session_of_version
from controller.execution.runner import ScriptRunner
from controller.json_codec import dumps
from controller.json_schema.checks import check_params
from controller.models.registered import LanguageTitle, Script, Session, canonical, now
from controller.models.requests import ExecuteRequest
from controller.models.stored import FunctionContent
from controller.runtimes.client import Prepared

#: Seconds that the runs of all examples of a version have together.
BUDGET = 30.0
#: Most bytes of all differences in an answer. The rest is left out.
DIFFERENCES_MAX = 64 * 1024
#: Most bytes of a result that is read, and of one that is shown. All examples together have 256 KiB.
READ_MAX, SHOWN_MAX = 1 << 20, 16 * 1024
#: Most characters of example and result together, and most objects and arrays of each, for a patch of parts. A patch
#: of twice as much may hold the process for more than 50 ms. Beyond, the whole result is the patch.
PATCHED_MAX, CONTAINERS_MAX = 4096, 100


class ExampleVerifier:
    """Runs examples.

    Args:
        runner: runs scripts.
        bounds: the limits of every session.
    """

    def __init__(self, runner: ScriptRunner, bounds: SessionBounds) -> None:
        self._runner = runner
        self._bounds = bounds

    def verify(
        self, call: Call, name: LanguageTitle, content: FunctionContent, script: Script, prepared: Prepared
    ) -> None:
        """Run the examples of a version, confined as any run.

        Args:
            call: the record of the request.
            name: the function.
            content: the version.
            script: its script.
            prepared: what the runtime made of it.

        Raises:
            InitializationFailed: an example fails, or its result differs. The details say where, as JSON Patch.
            ServiceError: the runtime cannot run them.
        """
        session = session_of_version(
            str(uuid.uuid4()),
            call.user_id,
            name,
            content,
            script=script,
            prepared=prepared,
            bounds=self._bounds,
            expires_at=now() + timedelta(seconds=BUDGET),
        )
        ends = monotonic() + BUDGET
        found: list[dict[str, Any]] = []
        for number, example in enumerate(content.examples):
            left_ms = int((ends - monotonic()) * 1000)
            if left_ms <= 0:
                raise _refused(f"the examples take more than {BUDGET:.0f} s together", found)
            limited = replace(session, timeout_ms=min(session.timeout_ms, left_ms))
            if (difference := self._difference(call, limited, example)) is not None:
                named = {"name": example["name"]} if "name" in example else {}
                found.append({"example": number, **named, **difference})
        if found:
            raise _refused(f"{len(found)} of {len(content.examples)} examples differ", found)

    def _difference(self, call: Call, session: Session, example: Mapping[str, Any]) -> dict[str, Any] | None:
        """Run an example. Return its error, or how its result differs. None: it does not."""
        params = example.get("params", {})
        request = ExecuteRequest(session.request_id, params, msgspec.Raw(dumps(params)))
        try:
            if session.params_schema is not None:
                check_params(session.params_schema, params)
            run = self._runner.run(session, request, call)
        except ServiceError as error:
            if error.status in (429, 503):
                raise
            return {"error": {"code": error.code, "message": error.message, "details": error.details}}
        if "result" not in example:
            return None
        return _compared(_plain(example["result"]), bytes(run.result))


def _compared(expected: Any, text: bytes) -> dict[str, Any] | None:
    """Return how a result differs from the expected one. None: it does not."""
    if len(text) > READ_MAX:
        return _unshown(text)
    try:
        result = _plain(json.loads(text))
    except ValueError:
        return {"message": "the result has an integer that is too long to be compared"}
    before, after = canonical(expected), canonical(result)
    if before == after:
        return None
    if len(after) > SHOWN_MAX:
        return _unshown(text)
    if len(before) + len(after) > PATCHED_MAX or max(map(_containers, (before, after))) > CONTAINERS_MAX:
        return {"patch": [{"op": "replace", "path": "", "value": result}]}
    return {"patch": jsonpatch.make_patch(expected, result).patch}


def _unshown(text: bytes) -> dict[str, Any]:
    return {"message": f"the result differs; it has {len(text)} bytes, too many to be shown"}


def _containers(text: str) -> int:
    """Return how many objects and arrays a JSON text has at most: brackets in its strings count, too."""
    return text.count("{") + text.count("[")


def _plain(value: Any) -> Any:
    """Return JSON with whole numbers as such: 1.0 and 1 are the same number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


def _refused(message: str, found: list[dict[str, Any]]) -> InitializationFailed:
    shown: list[dict[str, Any]] = []
    size = 0
    for difference in found:
        size += len(dumps(difference))
        if size > DIFFERENCES_MAX:
            break
        shown.append(difference)
    details = {"stage": "verify", "line": None, "column": None, "diagnostics": [], "differences": shown}
    return InitializationFailed(message, details=details)
