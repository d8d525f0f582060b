"""The program of a Rust worker: one compiled script, a fresh instance for every call.

The engine and the linker are created when the fork server imports this module. Neither starts a thread, so a fork is
safe, and the children share their memory.
"""

import json
import re
import resource
from pathlib import Path
from typing import Any

from wasmtime import Config, Engine, ExitTrap, Linker, Module, Trap, TrapCode, WasmtimeError

from runtime.workers import protocol
from runtime.workers.protocol import ScriptError
from runtime.workers.wasm_instance import Instance, InstanceTemplate, Kind, Outcome, allow_stack, pool
from runtime.workers.wasm_settings import CALL_STACK_BYTES, ENGINE_SETTINGS, POOL_SETTINGS, STACK_BYTES


def _configured() -> Config:
    config = Config()
    for name, value in ENGINE_SETTINGS.items():
        setattr(config, name, value)
    pool(config, POOL_SETTINGS)
    allow_stack(config, CALL_STACK_BYTES)
    return config


def _allow_stack() -> None:
    """Let the stack of this process and its children grow as far as calls need it, if the machine allows that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft != resource.RLIM_INFINITY and (hard == resource.RLIM_INFINITY or hard >= STACK_BYTES):
        resource.setrlimit(resource.RLIMIT_STACK, (max(soft, STACK_BYTES), hard))


_allow_stack()
ENGINE = Engine(_configured())
LINKER = Linker(ENGINE)
LINKER.define_wasi()

_ENCODER = json.JSONEncoder(separators=(",", ":"))

#: The only module that a script may import functions from.
_WASI = "wasi_snapshot_preview1"

#: The function that runs the handler.
_ENTRY = "lambda_call"

#: The script's file and its crate as rustc knows them.
SCRIPT = "script.rs"
_SCRIPT_CRATE = "script::"

_TRAPS = {
    TrapCode.STACK_OVERFLOW: "stack overflow",
    TrapCode.MEMORY_OUT_OF_BOUNDS: "memory out of bounds",
    TrapCode.UNREACHABLE: "unreachable",
    TrapCode.INTEGER_DIVISION_BY_ZERO: "integer division by zero",
    TrapCode.INTEGER_OVERFLOW: "integer overflow",
    TrapCode.BAD_SIGNATURE: "bad signature",
    TrapCode.INDIRECT_CALL_TO_NULL: "call of a null pointer",
}

#: How rustc escapes characters in symbol names that linkers do not accept.
_ESCAPES = {"LT": "<", "GT": ">", "RF": "&", "BP": "*", "LP": "(", "RP": ")", "C": ",", "SP": "@"}


class Program(protocol.Program):
    """A compiled script; see `runtime.workers.protocol.Program`."""

    def __init__(self) -> None:
        self._template: InstanceTemplate | None = None
        self._memory_max_bytes = 0
        self._fuel = 0

    def load(self, payload: dict[str, Any]) -> None:
        """Load the serialized module at the path `module`; a call may use `memory_max_bytes`.

        With `portable`, the path of a WebAssembly module, only create the serialized module from it.
        """
        if "portable" in payload:
            Path(payload["module"]).write_bytes(_serialized(Path(payload["portable"]).read_bytes()))
            return
        self._memory_max_bytes = payload["memory_max_bytes"]
        module = Module.deserialize_file(ENGINE, payload["module"])
        self._template = InstanceTemplate(ENGINE, LINKER, module, self._memory_max_bytes)

    def run(self, params: dict[str, Any], context: dict[str, Any]) -> bytes:
        """Call the handler with a map of params and context. Raises ScriptError."""
        if self._template is None:
            raise RuntimeError("run before load")
        self._fuel = 0
        request = _ENCODER.encode({"params": params, "context": context}).encode()
        instance = self._instance(self._template)
        try:
            outcome = instance.call(request)
            if outcome.kind is Kind.RESULT:
                return _checked(outcome.text)
            raise self._failure(outcome, instance)
        finally:
            self._fuel = instance.fuel_used()
            instance.close()

    def usage(self) -> dict[str, int]:
        """Return the fuel of the last run: about one for each WebAssembly instruction."""
        return {"fuel": self._fuel}

    def _instance(self, template: InstanceTemplate) -> Instance:
        try:
            return Instance(template)
        except WasmtimeError as error:
            # Code and imports were checked when it was serialized, so only its size can be the reason.
            message = f"the script needs more than {self._memory_max_bytes} bytes to start"
            raise ScriptError(message, kind="memory_limit", type="out of memory") from error

    def _failure(self, outcome: Outcome, instance: Instance) -> ScriptError:
        text = outcome.text.decode(errors="replace")
        match outcome.kind:
            case Kind.ERR:
                return ScriptError(text, type="Err")
            case Kind.PANIC:
                return _panic(text, outcome)
            case Kind.NOT_JSON:
                return ScriptError(text, kind="result_not_json", type="f64")
            case Kind.BAD_REQUEST:
                return ScriptError(
                    f"params or context cannot be read by serde_json: {text}", type="serde_json::Error"
                )
            case Kind.OUT_OF_MEMORY:
                limit = self._memory_max_bytes
                message = f"no memory for {outcome.size} more bytes within the limit of {limit} bytes"
                return ScriptError(
                    message, kind="memory_limit", type="out of memory", stack_trace=_stack_trace(outcome)
                )
        return _trap(outcome, instance)


def _checked(result: bytes) -> bytes:
    """Return a result. Raises ScriptError if it is not UTF-8: unsafe code can make such strings."""
    try:
        result.decode()
    except UnicodeDecodeError:
        message = "the result holds a string that is not UTF-8"
        raise ScriptError(message, kind="result_not_json", type="String") from None
    return result


def _serialized(portable: bytes) -> bytes:
    """Return machine code for this CPU. Raises ScriptError if the module is invalid or imports unknown functions."""
    try:
        module = Module(ENGINE, portable)
    except WasmtimeError as error:
        raise ScriptError(f"not a module that can run here: {error}") from error
    foreign = [f"{item.module}.{item.name}" for item in module.imports if item.module != _WASI]
    if foreign:
        raise ScriptError(f"the script asks for functions that are not there: {', '.join(foreign)}")
    if _ENTRY not in {item.name for item in module.exports}:
        raise ScriptError("the script ends in an attribute that hides its handler")
    return bytes(module.serialize())


def _panic(message: str, outcome: Outcome) -> ScriptError:
    """Return the error of a panic. The place of one inside a library is left out: it does not help the user."""
    in_script = outcome.file.endswith(SCRIPT)
    return ScriptError(
        message,
        type="panic",
        line=outcome.line if in_script else None,
        column=outcome.column if in_script else None,
        stack_trace=_stack_trace(outcome),
    )


def _trap(outcome: Outcome, instance: Instance) -> ScriptError:
    trap = outcome.trap
    if isinstance(trap, ExitTrap):
        return ScriptError(f"the script ended its process with status {trap.code}", type="exit")
    code = trap.trap_code if isinstance(trap, Trap) else None
    name = _TRAPS.get(code, "unknown") if code else "unknown"
    if code is TrapCode.MEMORY_OUT_OF_BOUNDS and instance.stack_is_exhausted():
        name = _TRAPS[TrapCode.STACK_OVERFLOW]
    return ScriptError(
        f"the script was stopped: {name}", type=f"trap: {name}", stack_trace=_stack_trace(outcome)
    )


def _stack_trace(outcome: Outcome) -> str | None:
    """Return the script's functions, the innermost first. Compiled code has no line numbers."""
    if not isinstance(outcome.trap, Trap):
        return None
    names = [_demangled(frame.func_name or "") for frame in outcome.trap.frames]
    own = [name.replace(_SCRIPT_CRATE, "") for name in names if _SCRIPT_CRATE in name]
    return "\n".join(f"at {name}" for name in own) or None


def _demangled(name: str) -> str:
    """Return the path of a function from its symbol name, such as `_ZN6script4main17h<hash>E`."""
    if not name.startswith("_ZN"):
        return name
    parts, rest = [], name.removeprefix("_ZN")
    while digits := re.match(r"\d+", rest):
        end = digits.end() + int(digits.group())
        parts.append(rest[digits.end() : end])
        rest = rest[end:]
    return "::".join(_unescaped(part) for part in parts if not re.fullmatch(r"h[0-9a-f]{16}", part))


def _unescaped(part: str) -> str:
    text = re.sub(r"\$u([0-9a-f]+)\$", lambda match: chr(int(match.group(1), 16)), part.removeprefix("_"))
    text = re.sub(r"\$([A-Z]+)\$", lambda match: _ESCAPES.get(match.group(1), match.group()), text)
    return text.replace("..", "::")
