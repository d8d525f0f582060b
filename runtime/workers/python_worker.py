"""The program of a Python worker: one script in a process that has imported the standard library."""

import asyncio
import inspect
import io
import linecache
import os
import site
import sys
import types
from typing import Any

from runtime.workers import protocol
from runtime.workers.json_result import encode_result
from runtime.workers.protocol import ScriptError
from runtime.workers.python_handler import FORMS, Handler, find_handler
from runtime.workers.python_traceback import SCRIPT_FILE, script_error, syntax_error

# The fork server starts without `site`, which is what defines exit(), quit() and help().
site.setquit()
site.sethelper()

#: Types of results that cannot be awaited: `isawaitable` takes longer than many scripts.
_PLAIN = frozenset({dict, list, str, int, float, bool, type(None)})


class Program(protocol.Program):
    """A Python script; see `runtime.workers.protocol.Program`.

    The top level of a script with a handler runs once, at the first execution. A script without a handler is a body
    that assigns `result`; it runs each time, in a new namespace.
    """

    def __init__(self) -> None:
        self._code: types.CodeType | None = None
        self._handler: Handler | None = None
        # Unbuffered as under `python -u`: output before a kill has reached the pipe.
        sys.stdout = _unbuffered(1)
        sys.stderr = _unbuffered(2)

    def rehearse(self) -> None:
        """Load and run a script of our own, and forget it."""
        self.load({"source": "def handle(params):\n    return params\n", "packages": []})
        self.run({}, {})
        self._code = self._handler = None
        del sys.modules["script"], linecache.cache[SCRIPT_FILE]

    def load(self, payload: dict[str, Any]) -> None:
        """Compile `source`, which may also import from the folders `packages`.

        Raises:
            ScriptError: It does not compile; with the place of the syntax error.
        """
        # At the end, so that no package hides a module of the standard library.
        sys.path += payload["packages"]
        source = payload["source"].removeprefix("\ufeff")
        try:
            self._code = compile(source, SCRIPT_FILE, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            raise syntax_error(error, source) from None
        lines = list(io.StringIO(source, newline=None))
        linecache.cache[SCRIPT_FILE] = (len(source), None, lines, SCRIPT_FILE)

    def run(self, params: dict[str, Any], context: dict[str, Any]) -> bytes:
        """Call the handler, or run the body. Raises ScriptError."""
        try:
            result = self._handler(params, context) if self._handler else self._run_top_level(params, context)
            if type(result) not in _PLAIN and inspect.isawaitable(result):
                result = asyncio.run(_awaited(result))
        except ScriptError:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit is a failure of the script too
            raise script_error(error) from None
        return encode_result(result)

    def _run_top_level(self, params: dict[str, Any], context: dict[str, Any]) -> Any:
        if self._code is None:
            raise RuntimeError("run before load")
        module = types.ModuleType("script")
        module.__file__ = os.path.abspath(SCRIPT_FILE)  # noqa: PTH100 - a string is needed
        # dataclasses, pickle and typing look up the module of a class by its name.
        sys.modules["script"] = module
        namespace = module.__dict__
        namespace.update(params=params, context=context)
        exec(self._code, namespace)  # noqa: S102 - running the script is what this process is for
        if handler := find_handler(namespace):
            _forget_request(namespace, params=params, context=context)
            self._handler = handler
            return handler(params, context)
        if "result" not in namespace:
            raise ScriptError(f"the script has no handler and assigns no result; it may have one of: {FORMS}")
        return namespace["result"]


def _forget_request(namespace: dict[str, Any], **request: Any) -> None:
    """Remove the first request's values from a module's globals: later calls must not read them by mistake."""
    for name, value in request.items():
        if namespace.get(name) is value:
            del namespace[name]


def _unbuffered(descriptor: int) -> io.TextIOWrapper:
    raw = open(descriptor, "wb", buffering=0, closefd=False)  # noqa: SIM115 - it lives as long as we do
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)


async def _awaited(awaitable: Any) -> Any:
    return await awaitable
