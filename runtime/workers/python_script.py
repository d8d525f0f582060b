"""One Python script: its module, its handler, and what its runs may change in the process."""

import builtins
import contextvars
import importlib.util
import inspect
import os
import sys
from collections.abc import AsyncIterator
from types import AsyncGeneratorType, CodeType, GeneratorType, ModuleType
from typing import Any

from runtime.workers import python_loop
from runtime.workers.protocol import ScriptError
from runtime.workers.python_handler import FORMS, Handler, find_handler
from runtime.workers.python_process import ProcessState, end_program
from runtime.workers.python_source import Form, form_of, main_guards, only_defines
from runtime.workers.python_traceback import SCRIPT_FILE

#: The name of a script that is imported.
MODULE = "script"
#: Types of results that are neither awaited nor collected: to ask takes longer than many scripts.
_PLAIN = frozenset({dict, list, str, int, float, bool, type(None)})


class Script:
    """A compiled script.

    Args:
        source: Its text.
        code: Its compiled text.

    Raises:
        RecursionError, MemoryError: It is too complex to be read.
    """

    def __init__(self, source: str, code: CodeType) -> None:
        self._source = source
        self._code = code
        self._form = form_of(source, code)
        self._file = os.path.abspath(SCRIPT_FILE)  # noqa: PTH100 - a string is needed
        self._handler: Handler | None = None
        self._state = ProcessState(source, {})
        self._sets_context = "context" in source
        #: Whether it may set an alarm.
        self.may_ring = "alarm" in source or "itimer" in source
        self._ended_simply = True

    def run(self, params: dict[str, Any], context: dict[str, Any]) -> Any:
        """Call the handler, or run the program. The first run of a script with a handler runs its top level before.

        What a run sets in context variables, as those of `decimal`, is not there in the next one.

        Raises:
            BaseException: Whatever the script raises.
        """
        if self._handler is None:
            request = {"params": params, "context": context}
            if self._form is Form.MODULE:
                result = self._import(request)
            else:
                namespace = self._namespace(ModuleType("__main__"), request)
                result = contextvars.copy_context().run(self._run_program, self._code, namespace, request)
            if self._handler is None:
                return result
        if self._sets_context:
            return contextvars.copy_context().run(_called, self._handler, params, context)
        return _settled(self._handler(params, context))

    def end_run(self) -> bool:
        """Put the process back to what it was before the run. Return whether it can serve another one."""
        try:
            return self._state.restore() and self._ended_simply
        except BaseException:  # noqa: BLE001 - what the run left behind may be called, and may raise
            return False

    def _import(self, request: dict[str, Any]) -> Any:
        """Run the top level. A script without a handler goes on as a program, and this returns its result."""
        spec = importlib.util.spec_from_file_location(MODULE, self._file)
        if spec is None:
            raise ImportError(f"{self._file} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        # dataclasses, pickle and typing look up the module of a class by its name.
        sys.modules[MODULE] = module
        namespace = self._namespace(module, request)
        exec(self._code, namespace)  # noqa: S102 - running the script is what this process is for
        self._find_handler(namespace, request)
        if self._handler is not None:
            return None
        # What it has under the name of a handler is none: an object of `logging`, for instance.
        self._form = Form.BODY
        namespace["__name__"] = "__main__"
        guards = main_guards(self._source)
        return contextvars.copy_context().run(self._run_program, guards, namespace, request)

    def _namespace(self, module: ModuleType, request: dict[str, Any]) -> dict[str, Any]:
        """Make a module the main one, with the globals that a script may use."""
        sys.modules["__main__"] = module
        namespace = module.__dict__
        namespace.update(request, __file__=self._file, __builtins__=builtins)
        return namespace

    def _find_handler(self, namespace: dict[str, Any], request: dict[str, Any]) -> None:
        self._handler = find_handler(namespace)
        if self._handler is not None:
            _forget_request(namespace, request)
            self._state = ProcessState(self._source, namespace)

    def _run_program(self, code: CodeType, namespace: dict[str, Any], request: dict[str, Any]) -> Any:
        """Run a program to its end, and return its result if it has no handler."""
        exited = False
        try:
            exec(code, namespace)  # noqa: S102 - see above
        except SystemExit as leaving:
            if not _is_success(leaving):
                raise
            exited = True
        finally:
            self._ended_simply = end_program()
        if self._form is Form.PROGRAM:
            self._find_handler(namespace, request)
        if "result" not in namespace and self._handler is None and not exited and only_defines(self._source):
            raise ScriptError(f"the script only defines functions; it may have one of: {FORMS}")
        return _settled(namespace.get("result"))


def _called(handler: Handler, params: dict[str, Any], context: dict[str, Any]) -> Any:
    return _settled(handler(params, context))


def _settled(result: Any) -> Any:
    """Return a result that JSON may have: an awaitable is awaited, what a generator yields is a list."""
    if type(result) in _PLAIN:
        return result
    if inspect.isawaitable(result):
        result = python_loop.run(result)
    if isinstance(result, AsyncGeneratorType):
        return python_loop.run(_collected(result))
    return list(result) if isinstance(result, GeneratorType) else result


async def _collected(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


def _is_success(leaving: SystemExit) -> bool:
    """Return whether a program ended with status 0. A text is printed, and means status 1, as Python has it."""
    if isinstance(leaving.code, str):
        print(leaving.code, file=sys.stderr)
    return leaving.code is None or (isinstance(leaving.code, int) and leaving.code == 0)


def _forget_request(namespace: dict[str, Any], request: dict[str, Any]) -> None:
    """Remove the first request's values from a module's globals: later calls must not read them by mistake."""
    for name, value in request.items():
        if namespace.get(name) is value:
            del namespace[name]
