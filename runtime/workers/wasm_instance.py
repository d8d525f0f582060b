"""One instance of a script's module, for one call.

All of it goes past wasmtime's comfortable API, which looks up types, copies through lists and makes objects at each
step: that took three times as long as the call. What this needs of wasmtime's insides stands in this module only.
"""

import ctypes
import struct
from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from typing import Any, NamedTuple

from wasmtime import Config, Engine, Linker, Module, Trap, WasmtimeError
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

#: What a store has of ours, of which nothing need be freed.
_NOTHING = ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p))

#: Tables, instances and memories have no limit of their own.
_UNLIMITED = (-1, -1, -1, -1)


def pool(config: Config, limits: Mapping[str, int]) -> None:
    """Have the engine keep the place of instances, and make anew what is in it: a third off the time of a short call.

    `limits` are named as in `wasmtime_pooling_allocation_config_<name>_set`.
    """
    strategy = raw.wasmtime_pooling_allocation_config_new()
    for name, limit in limits.items():
        getattr(raw, f"wasmtime_pooling_allocation_config_{name}_set")(strategy, limit)
    raw.wasmtime_pooling_allocation_strategy_set(config.ptr(), strategy)
    raw.wasmtime_pooling_allocation_config_delete(strategy)


class Kind(IntEnum):
    """How the glue says that a call ended. TRAP is its silence."""

    TRAP = 0
    RESULT = 1
    ERR = 2
    PANIC = 3
    OUT_OF_MEMORY = 4
    BAD_REQUEST = 5


class Outcome(NamedTuple):
    """What a call left behind. `size` is the length of the text, or what could not be allocated, in bytes."""

    kind: Kind
    text: bytes = b""
    size: int = 0
    file: str = ""
    line: int = 0
    column: int = 0
    trap: Trap | WasmtimeError | None = None


class Mould:
    """What the instances of one module are made from, its imports found once."""

    def __init__(self, engine: Engine, linker: Linker, module: Module, memory_max_bytes: int) -> None:
        self._engine = engine
        self._prepared = linker.instantiate_pre(module)
        self._memory_max_bytes = memory_max_bytes

    def store(self) -> Any:
        """A store for one instance; whoever asks deletes it. Raises WasmtimeError."""
        store = raw.wasmtime_store_new(self._engine.ptr(), None, _NOTHING)
        context, wasi = raw.wasmtime_store_context(store), raw.wasi_config_new()
        raw.wasi_config_inherit_stdout(wasi)
        raw.wasi_config_inherit_stderr(wasi)
        raw.wasmtime_store_limiter(store, self._memory_max_bytes, *_UNLIMITED)
        # Neither can fail in an engine that counts fuel and a linker that knows WASI.
        raw.wasmtime_context_set_wasi(context, wasi)
        raw.wasmtime_context_set_fuel(context, _FUEL)
        return store

    def instantiate(self, context: Any) -> Any:
        """An instance in a store. Raises WasmtimeError, Trap."""
        instance, trap = raw.wasmtime_instance_t(), _no_trap()
        error = raw.wasmtime_instance_pre_instantiate(
            self._prepared.ptr(), context, ctypes.byref(instance), ctypes.byref(trap)
        )
        if ended := _ended(error, trap):
            raise ended
        return instance


class Instance:
    """A module with memory and globals of its own, and the process's output as its output. Raises WasmtimeError."""

    def __init__(self, mould: Mould) -> None:
        self._store = mould.store()
        self._context = raw.wasmtime_store_context(self._store)
        try:
            self._instance = ctypes.byref(mould.instantiate(self._context))
        except BaseException:
            self.close()
            raise
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
        left = ctypes.c_uint64()
        raw.wasmtime_context_get_fuel(self._context, ctypes.byref(left))
        return _FUEL - left.value

    def close(self) -> None:
        """Give back the memory. The instance is of no use afterwards."""
        raw.wasmtime_store_delete(self._store)

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
            file=self._read(file, file_length).decode(errors="replace") if file_length else "",
            line=line,
            column=column,
            trap=trap,
        )

    def _invoke(self, name: str, *arguments: int) -> tuple[int, Trap | WasmtimeError | None]:
        """The function's result, nothing sensible when it has none, and what ended it early."""
        function = self._export(name, "func")
        values = _values(len(arguments))()
        for index, argument in enumerate(arguments):
            values[index].i32 = argument
        trap = _no_trap()
        error = raw.wasmtime_func_call_unchecked(
            self._context, ctypes.byref(function), values, len(values), ctypes.byref(trap)
        )
        if ended := _ended(error, trap):
            return 0, ended
        return values[0].i32 & 0xFFFFFFFF, None

    def _export(self, name: str, member: str) -> Any:
        """A function, a memory or a variable of the module."""
        export, encoded = raw.wasmtime_extern(), _encoded(name)
        found = raw.wasmtime_instance_export_get(
            self._context, self._instance, encoded, len(name), ctypes.byref(export)
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
        return ctypes.addressof(raw.wasmtime_memory_data(self._context, self._memory).contents) + offset


#: A null pointer to what ended a call early.
_no_trap = ctypes.POINTER(raw.wasm_trap_t)

#: The type of so many arguments.
_values = cache(lambda count: raw.wasmtime_val_raw * count)

#: The name of an export as wasmtime takes it.
_encoded = cache(lambda name: ctypes.create_string_buffer(name.encode()))


def _ended(error: Any, trap: Any) -> Trap | WasmtimeError | None:
    """What ended a call early, if anything did."""
    if error:
        return WasmtimeError._from_ptr(error)
    return Trap._from_ptr(trap) if trap else None
