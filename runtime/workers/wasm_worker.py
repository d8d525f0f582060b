"""The program of a Rust worker: one compiled script, a fresh instance for every call.

The engine and the linker are made when the fork server imports this module: neither starts a thread, so that the
fork is safe and the children share their memory.
"""

import json
import re
from pathlib import Path
from typing import Any

from wasmtime import Config, Engine, ExitTrap, Linker, Module, Trap, TrapCode, WasmtimeError

from runtime.workers import protocol
from runtime.workers.protocol import Verdict
from runtime.workers.wasm_instance import Instance, Kind, Mould, Outcome, pool
from runtime.workers.wasm_settings import ENGINE_SETTINGS, POOL_SETTINGS


def _configured() -> Config:
    config = Config()
    for name, value in ENGINE_SETTINGS.items():
        setattr(config, name, value)
    pool(config, POOL_SETTINGS)
    return config


ENGINE = Engine(_configured())
LINKER = Linker(ENGINE)
LINKER.define_wasi()

_ENCODER = json.JSONEncoder(separators=(",", ":"))

#: All that a script may import.
_WASI = "wasi_snapshot_preview1"

#: The script's file, as rustc was given it, and the module that the entry makes of it.
SCRIPT = "script.rs"
_SCRIPT_MODULE = "script::script::"

_TRAPS = {
    TrapCode.STACK_OVERFLOW: "stack overflow",
    TrapCode.MEMORY_OUT_OF_BOUNDS: "memory out of bounds",
    TrapCode.UNREACHABLE: "unreachable",
    TrapCode.INTEGER_DIVISION_BY_ZERO: "integer division by zero",
    TrapCode.INTEGER_OVERFLOW: "integer overflow",
    TrapCode.BAD_SIGNATURE: "bad signature",
    TrapCode.INDIRECT_CALL_TO_NULL: "call of a null pointer",
}

#: How compilers escape in names what linkers would not take.
_ESCAPES = {"LT": "<", "GT": ">", "RF": "&", "BP": "*", "LP": "(", "RP": ")", "C": ",", "SP": "@"}


class Program(protocol.Program):
    """A compiled script; see `runtime.workers.protocol.Program`."""

    def __init__(self) -> None:
        self._mould: Mould | None = None
        self._memory_max_bytes = 0
        self._fuel = 0

    def load(self, payload: dict[str, Any]) -> None:
        """Take `module`, the path of a serialized module, and `memory_max_bytes`, what a call may use.

        With `portable`, the path of a WebAssembly module, make the serialized module of it and do no more.
        """
        if "portable" in payload:
            Path(payload["module"]).write_bytes(_serialized(Path(payload["portable"]).read_bytes()))
            return
        self._memory_max_bytes = payload["memory_max_bytes"]
        module = Module.deserialize_file(ENGINE, payload["module"])
        self._mould = Mould(ENGINE, LINKER, module, self._memory_max_bytes)

    def run(self, params: dict[str, Any], context: dict[str, Any]) -> bytes:
        """Call the handler with a map of both. Raises Verdict."""
        if self._mould is None:
            raise RuntimeError("run before load")
        self._fuel = 0
        request = _ENCODER.encode({"params": params, "context": context}).encode()
        instance = self._instance(self._mould)
        try:
            outcome = instance.call(request)
            if outcome.kind is Kind.RESULT:
                return outcome.text
            raise self._verdict(outcome, instance)
        finally:
            self._fuel = instance.fuel_used()
            instance.close()

    def usage(self) -> dict[str, int]:
        """Fuel: about one for each WebAssembly instruction."""
        return {"fuel": self._fuel}

    def _instance(self, mould: Mould) -> Instance:
        try:
            return Instance(mould)
        except WasmtimeError as error:
            # Its code and its imports were checked when it was serialized: what can fail is its size.
            message = f"the script needs more than {self._memory_max_bytes} bytes to start"
            raise Verdict(message, kind="memory_limit", type="out of memory") from error

    def _verdict(self, outcome: Outcome, instance: Instance) -> Verdict:
        text = outcome.text.decode(errors="replace")
        match outcome.kind:
            case Kind.ERR:
                return Verdict(text, type="Err")
            case Kind.PANIC:
                return _panic(text, outcome)
            case Kind.BAD_REQUEST:
                return Verdict(
                    f"params or context cannot be read by serde_json: {text}", type="serde_json::Error"
                )
            case Kind.OUT_OF_MEMORY:
                limit = self._memory_max_bytes
                message = f"no memory for {outcome.size} more bytes within the limit of {limit} bytes"
                return Verdict(
                    message, kind="memory_limit", type="out of memory", stack_trace=_stack_trace(outcome)
                )
        return _trap(outcome, instance)


def _serialized(portable: bytes) -> bytes:
    """Machine code for this CPU. Raises Verdict for a module that asks for more than there is."""
    try:
        module = Module(ENGINE, portable)
    except WasmtimeError as error:
        raise Verdict(f"not a module that can run here: {error}") from error
    foreign = [f"{item.module}.{item.name}" for item in module.imports if item.module != _WASI]
    if foreign:
        raise Verdict(f"the script asks for functions that are not there: {', '.join(foreign)}")
    return bytes(module.serialize())


def _panic(message: str, outcome: Outcome) -> Verdict:
    """A panic inside a library has a place there, which is of no use to the user."""
    in_script = outcome.file.endswith(SCRIPT)
    return Verdict(
        message,
        type="panic",
        line=outcome.line if in_script else None,
        column=outcome.column if in_script else None,
        stack_trace=_stack_trace(outcome),
    )


def _trap(outcome: Outcome, instance: Instance) -> Verdict:
    trap = outcome.trap
    if isinstance(trap, ExitTrap):
        return Verdict(f"the script ended its process with status {trap.code}", type="exit")
    code = trap.trap_code if isinstance(trap, Trap) else None
    name = _TRAPS.get(code, "unknown") if code else "unknown"
    if code is TrapCode.MEMORY_OUT_OF_BOUNDS and instance.stack_is_exhausted():
        name = _TRAPS[TrapCode.STACK_OVERFLOW]
    return Verdict(f"the script was stopped: {name}", type=f"trap: {name}", stack_trace=_stack_trace(outcome))


def _stack_trace(outcome: Outcome) -> str | None:
    """The script's own functions, the innermost first. Compiled code keeps their names, not their lines."""
    if not isinstance(outcome.trap, Trap):
        return None
    names = [_demangled(frame.func_name or "") for frame in outcome.trap.frames]
    own = [name.replace(_SCRIPT_MODULE, "") for name in names if _SCRIPT_MODULE in name]
    return "\n".join(f"at {name}" for name in own) or None


def _demangled(name: str) -> str:
    """A path of names from the form in which rustc hands it to the linker: `_ZN6script4main17h<hash>E`."""
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
