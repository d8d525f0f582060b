"""One instance of a script's module, for one call.

The calls and the memory go past wasmtime's comfortable API, which looks up types and copies through lists at each
step: some 300 microseconds a call, this takes 30. What that needs of wasmtime's insides stands in this module only.
"""

import ctypes
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from wasmtime import Engine, Linker, Module, Store, Trap, WasiConfig, WasmtimeError
from wasmtime import _ffi as raw

#: The outcome at the start of the request's buffer, as `glue.rs` lays it out.
_OUTCOME = struct.Struct("<7I")


#: More than any deadline lets a script burn: fuel is counted, time and memory are what is limited.
_FUEL = (1 << 64) - 1

#: The members of an export's union, and the kinds of export that have them.
_MEMBERS = {
    "func": raw.WASMTIME_EXTERN_FUNC.value,
    "global_": raw.WASMTIME_EXTERN_GLOBAL.value,
    "memory": raw.WASMTIME_EXTERN_MEMORY.value,
}


class Kind(IntEnum):
    """How the glue says that a call ended. TRAP is its silence."""

    TRAP = 0
    RESULT = 1
    ERR = 2
    PANIC = 3
    OUT_OF_MEMORY = 4
    BAD_REQUEST = 5


@dataclass(frozen=True)
class Outcome:
    """What a call left behind. `size` is the length of the text, or what could not be allocated, in bytes."""

    kind: Kind
    text: bytes = b""
    size: int = 0
    file: str = ""
    line: int = 0
    column: int = 0
    trap: Trap | WasmtimeError | None = None


class Instance:
    """A module with memory and globals of its own, and the process's output as its output."""

    def __init__(self, engine: Engine, linker: Linker, module: Module, memory_max_bytes: int) -> None:
        self._store = Store(engine)
        wasi = WasiConfig()
        wasi.inherit_stdout()
        wasi.inherit_stderr()
        self._store.set_wasi(wasi)
        self._store.set_limits(memory_size=memory_max_bytes)
        self._store.set_fuel(_FUEL)
        self._context = self._store._context()
        self._instance = linker.instantiate(self._store, module)._instance
        self._memory = ctypes.byref(self._export("memory", "memory"))

    def call(self, request: bytes) -> Outcome:
        """Run the script's handler. To be called once."""
        buffer, trap = self._invoke("lambda_allocate", len(request))
        if trap is not None or buffer == 0:
            return Outcome(Kind.OUT_OF_MEMORY, size=len(request), trap=trap)
        ctypes.memmove(self._address(buffer + _OUTCOME.size, len(request)), request, len(request))
        _, trap = self._invoke("lambda_call", buffer, len(request))
        return self._outcome(buffer, trap)

    def fuel_used(self) -> int:
        """What the instance has burnt so far, its start included."""
        return _FUEL - self._store.get_fuel()

    def close(self) -> None:
        """Give back the memory. The instance is of no use afterwards."""
        self._store.close()

    def stack_is_exhausted(self) -> bool:
        """Whether the stack in the script's memory has run below its end, which is address 0."""
        pointer = raw.wasmtime_val()
        variable = self._export("__stack_pointer", "global_")
        raw.wasmtime_global_get(self._context, ctypes.byref(variable), ctypes.byref(pointer))
        return bool(pointer.of.i32 < 0)

    def _outcome(self, buffer: int, trap: Trap | WasmtimeError | None) -> Outcome:
        record = self._read(buffer, _OUTCOME.size)
        number, text, text_length, file, file_length, line, column = _OUTCOME.unpack(record)
        kind = Kind(number)
        if kind in (Kind.TRAP, Kind.OUT_OF_MEMORY):
            return Outcome(kind, size=text_length, trap=trap)
        return Outcome(
            kind,
            text=self._read(text, text_length),
            size=text_length,
            file=self._read(file, file_length).decode(errors="replace"),
            line=line,
            column=column,
            trap=trap,
        )

    def _invoke(self, name: str, *arguments: int) -> tuple[int, Trap | WasmtimeError | None]:
        """The function's result, nothing sensible when it has none, and what ended it early."""
        function = self._export(name, "func")
        values = (raw.wasmtime_val_raw * len(arguments))()
        for value, argument in zip(values, arguments, strict=True):
            value.i32 = argument
        trap = ctypes.POINTER(raw.wasm_trap_t)()
        error = raw.wasmtime_func_call_unchecked(
            self._context, ctypes.byref(function), values, len(values), ctypes.byref(trap)
        )
        if error:
            return 0, WasmtimeError._from_ptr(error)
        if trap:
            return 0, Trap._from_ptr(trap)
        return values[0].i32 & 0xFFFFFFFF, None

    def _export(self, name: str, member: str) -> Any:
        """A function, a memory or a variable of the module."""
        export, encoded = raw.wasmtime_extern(), name.encode()
        instance = ctypes.byref(self._instance)
        found = raw.wasmtime_instance_export_get(
            self._context, instance, ctypes.create_string_buffer(encoded), len(encoded), ctypes.byref(export)
        )
        if not found or int(export.kind) != _MEMBERS[member]:
            raise LookupError(f"the module does not export {name}")
        return getattr(export.of, member)

    def _read(self, offset: int, length: int) -> bytes:
        return ctypes.string_at(self._address(offset, length), length)

    def _address(self, offset: int, length: int) -> int:
        """Where the script's memory lies in ours. The script may have left any numbers: they are checked."""
        if offset + length > raw.wasmtime_memory_data_size(self._context, self._memory):
            raise ValueError("the script's outcome lies outside its memory")
        base = ctypes.cast(raw.wasmtime_memory_data(self._context, self._memory), ctypes.c_void_p)
        return (base.value or 0) + offset
