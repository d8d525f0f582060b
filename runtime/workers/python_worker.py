"""The program of a Python worker: one script in a process that has imported the standard library."""

import io
import linecache
import sys
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import Any

from runtime.sandbox import landlock
from runtime.workers import protocol, python_machine
from runtime.workers.json_result import encode_result
from runtime.workers.protocol import ScriptError
from runtime.workers.python_process import end_timers, look_plain
from runtime.workers.python_script import MODULE, Script
from runtime.workers.python_source import form_of
from runtime.workers.python_traceback import SCRIPT_FILE, script_error, syntax_error


class Program(protocol.Program):
    """A Python script; see `runtime.workers.protocol.Program`.

    The top level of a script with a handler runs once, at the first execution. A script without a handler is a
    program that may assign `result`; it runs each time, in a new namespace.
    """

    def __init__(self) -> None:
        self._script: Script | None = None
        self._spent = False
        look_plain(SCRIPT_FILE)
        python_machine.settle()

    def rehearse(self) -> None:
        """Load and run a script of our own, and forget it."""
        self.load({"source": "def handle(params):\n    return params\n", "packages": []})
        self.run({}, {})
        self._script = None
        del sys.modules[MODULE], linecache.cache[SCRIPT_FILE]
        Path(SCRIPT_FILE).unlink(missing_ok=True)

    def check(self, source: str) -> None:
        """Compile a script as `load` does, and forget it. Raises ScriptError."""
        source = source.removeprefix("\ufeff")
        try:
            form_of(source, compile(source, SCRIPT_FILE, "exec", dont_inherit=True))
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            raise syntax_error(error, source) from None

    def load(self, payload: dict[str, Any]) -> None:
        """Compile `source`, which may also import from the folder `environment` and the folders `packages`.

        With `readable`, nothing else can be read from then on.

        Raises:
            ScriptError: It does not compile; with the place of the syntax error.
        """
        # At the end, so that no package hides a module of the standard library.
        if environment := payload.get("environment"):
            sys.path.append(environment)
        sys.path += payload["packages"]
        if readable := payload.get("readable"):
            landlock.narrow(readable)
        source = payload["source"].removeprefix("\ufeff")
        try:
            code: CodeType = compile(source, SCRIPT_FILE, "exec", dont_inherit=True)
            self._script = Script(source, code)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            raise syntax_error(error, source) from None
        lines = list(io.StringIO(source, newline=None))
        linecache.cache[SCRIPT_FILE] = (len(source), None, lines, SCRIPT_FILE)
        with suppress(OSError):  # only a script that reads itself needs it
            Path(SCRIPT_FILE).write_text(source, encoding="utf-8", newline="")

    def run(self, params: dict[str, Any], context: dict[str, Any]) -> bytes:
        """Call the handler, or run the program. Raises ScriptError."""
        if self._script is None:
            raise RuntimeError("run before load")
        script = self._script
        try:
            try:
                result = script.run(params, context)
            finally:
                if script.may_ring:
                    end_timers()
        except ScriptError:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit is a failure of a handler too
            raise script_error(error) from None
        finally:
            self._spent = not script.end_run()
        return encode_result(result)

    def spent(self) -> bool:
        """Return whether the last run has left something behind that could act in the next one."""
        return self._spent
