"""The program of a sh worker: each run is a process of the shell, with the worker's confinement."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from runtime.workers import protocol
from runtime.workers.json_result import encode_result
from runtime.workers.protocol import ScriptError

SHELL = "/bin/sh"
SCRIPT = "script.sh"
RESULT = "result.json"


class Program(protocol.Program):
    """A shell script. It finds each param in `$param_<name>` and params and context as JSON on its standard input.

    Its result is the JSON that it writes to the file `$RESULT`, null when it writes none.
    """

    def load(self, payload: dict[str, Any]) -> None:
        """Have the shell read `source` without running it. Raises ScriptError."""
        Path(SCRIPT).write_text(payload["source"])
        checked = subprocess.run([SHELL, "-n", SCRIPT], capture_output=True, text=True, check=False)
        if checked.returncode:
            raise _syntax_error(checked.stderr)

    def run(self, params: dict[str, Any], context: dict[str, Any]) -> bytes:
        """Run it and take its result. Raises ScriptError."""
        Path(RESULT).unlink(missing_ok=True)
        event = json.dumps({"params": params, "context": context}).encode()
        variables = {f"param_{name}": _text(value) for name, value in params.items()}
        environment = {**os.environ, **variables, "RESULT": RESULT}
        try:
            ended = subprocess.run([SHELL, SCRIPT], input=event, env=environment, check=False)
        except (OSError, ValueError) as error:  # too much of it, or what a variable cannot hold
            raise ScriptError(f"the script cannot be started: {error}") from None
        if ended.returncode:
            raise ScriptError(f"the script ended with status {ended.returncode}", type="exit")
        return _result()


def _syntax_error(complaint: str) -> ScriptError:
    """The shell's own words are `script.sh: 3: Syntax error: ...`."""
    found = re.search(rf"{SCRIPT}: (?:line )?(\d+): (.*)", complaint)
    if found is None:
        return ScriptError(complaint.strip() or "the shell cannot read the script", type="syntax error")
    return ScriptError(found[2], type="syntax error", line=int(found[1]))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _result() -> bytes:
    """What lies in the file is the script's work, so that nothing about it is certain."""
    try:
        return encode_result(json.loads(Path(RESULT).read_bytes()))
    except FileNotFoundError:
        return b"null"
    except (OSError, ValueError, RecursionError) as error:
        raise ScriptError(f"the result is no JSON: {error}", kind="result_not_json") from None
