"""One instance of a script's module, for one call.

It uses wasmtime's C functions directly. The Python API looks up types, copies through lists and creates objects at
each step, which takes three times as long as the call. Only this module depends on wasmtime's internals.
"""

import ctypes
import struct
from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from typing import Any, NamedTuple

from wasmtime import Config, Engine, Linker, Module, Trap, WasmtimeError
from wasmtime import _ffi as raw

#: The `Outcome` of `glue.rs`, at the start of the request's buffer.
_OUTCOME = struct.Struct("<7I")

#: More fuel than a script can use before any deadline: fuel is counted, not limited.
_FUEL = (1 << 64) - 1

#: The kind of export for each member of the union `wasmtime_extern`.
_MEMBERS = {
    "func": raw.WASMTIME_EXTERN_FUNC.value,
    "global_": raw.WASMTIME_EXTERN_GLOBAL.value,
    "memory": raw.WASMTIME_EXTERN_MEMORY.value,
}

#: No finalizer: a store holds no data of ours.
_NOTHING = ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p))

#: A store's limits of tables, instances and memories: none.
_UNLIMITED = (-1, -1, -1, -1)


def pool(config: Config, limits: Mapping[str, int]) -> None:
    """Have the engine reuse the memory of earlier instances, which makes a short call a third faster.

    Args:
        config: The configuration of the engine.
        limits: Limits by their name in `wasmtime_pooling_allocation_config_<name>_set`.
    """
    strategy = raw.wasmtime_pooling_allocation_config_new()
    for name, limit in limits.items():
        getattr(raw, f"wasmtime_pooling_allocation_config_{name}_set")(strategy, limit)
    raw.wasmtime_pooling_allocation_strategy_set(config.ptr(), strategy)
    raw.wasmtime_pooling_allocation_config_delete(strategy)


def allow_stack(config: Config, size: int) -> None:
    """Let a call use `size` bytes of the process's stack."""
    # The engine checks this too, although none of its calls runs on a stack of its own.
    raw.wasmtime_config_async_stack_size_set(config.ptr(), size)
    config.max_wasm_stack = size


class Kind(IntEnum):
    """How a call ended, as the glue reports it. TRAP means that it reported nothing."""

    TRAP = 0
    RESULT = 1
    ERR = 2
    PANIC = 3
    OUT_OF_MEMORY = 4
    BAD_REQUEST = 5
    NOT_JSON = 6


class Outcome(NamedTuple):
    """The outcome of a call.

    Attributes:
        kind: How it ended.
        text: The result as JSON, or a message.
        size: Bytes of the text, or bytes that could not be allocated.
        file: The source file of a panic.
        line: Its line, 0 if unknown.
        column: Its column, 0 if unknown.
        trap: What ended the call early, if anything did.
    """

    kind: Kind
    text: bytes = b""
    size: int = 0
    file: str = ""
    line: int = 0
    column: int = 0
    trap: Trap | WasmtimeError | None = None


class InstanceTemplate:
    """A module with its imports resolved, from which instances are created."""

    def __init__(self, engine: Engine, linker: Linker, module: Module, memory_max_bytes: int) -> None:
        self._engine = engine
        self._prepared = linker.instantiate_pre(module)
        self._memory_max_bytes = memory_max_bytes

    def store(self) -> Any:
        """Return a store for one instance. The caller deletes it."""
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
        """Return an instance in a store. Raises WasmtimeError, Trap."""
        instance, trap = raw.wasmtime_instance_t(), _null_trap()
        error = raw.wasmtime_instance_pre_instantiate(
            self._prepared.ptr(), context, ctypes.byref(instance), ctypes.byref(trap)
        )
        if failure := _failure_of(error, trap):
            raise failure
        return instance


class Instance:
    """An instance of a module: separate memory and globals, and the process's output.

    Raises:
        WasmtimeError: It cannot be created.
    """

    def __init__(self, template: InstanceTemplate) -> None:
        self._store = template.store()
        self._context = raw.wasmtime_store_context(self._store)
        try:
            self._instance = ctypes.byref(template.instantiate(self._context))
        except BaseException:
            self.close()
            raise
        self._memory = ctypes.byref(self._export("memory", "memory"))

    def call(self, request: bytes) -> Outcome:
        """Run the script's handler. May be called once."""
        buffer, trap = self._invoke("lambda_allocate", len(request))
        if trap is not None or buffer == 0:
            return Outcome(Kind.OUT_OF_MEMORY, size=len(request), trap=trap)
        ctypes.memmove(self._address(buffer + _OUTCOME.size, len(request)), request, len(request))
        _, trap = self._invoke("lambda_call", buffer, len(request))
        return self._outcome(buffer, trap)

    def fuel_used(self) -> int:
        """Return the fuel used so far, including that of the start."""
        left = ctypes.c_uint64()
        raw.wasmtime_context_get_fuel(self._context, ctypes.byref(left))
        return _FUEL - left.value

    def close(self) -> None:
        """Free the memory. The instance cannot be used afterwards."""
        raw.wasmtime_store_delete(self._store)

    def stack_is_exhausted(self) -> bool:
        """Return whether the stack in the script's memory has grown below its end, address 0."""
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
        """Call a function. Return its result (undefined if it has none), and what ended it early."""
        function = self._export(name, "func")
        values = _values(len(arguments))()
        for index, argument in enumerate(arguments):
            values[index].i32 = argument
        trap = _null_trap()
        error = raw.wasmtime_func_call_unchecked(
            self._context, ctypes.byref(function), values, len(values), ctypes.byref(trap)
        )
        if failure := _failure_of(error, trap):
            return 0, failure
        return values[0].i32 & 0xFFFFFFFF, None

    def _export(self, name: str, member: str) -> Any:
        """Return an exported function, memory or global of the module."""
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
        """Return the address in our memory. Offset and length are checked: the script may have written any number."""
        if offset + length > raw.wasmtime_memory_data_size(self._context, self._memory):
            raise ValueError("the script's outcome lies outside its memory")
        return ctypes.addressof(raw.wasmtime_memory_data(self._context, self._memory).contents) + offset


#: A null pointer to a trap.
_null_trap = ctypes.POINTER(raw.wasm_trap_t)

#: The type of an array of `count` arguments.
_values = cache(lambda count: raw.wasmtime_val_raw * count)

#: The name of an export as a C string.
_encoded = cache(lambda name: ctypes.create_string_buffer(name.encode()))


def _failure_of(error: Any, trap: Any) -> Trap | WasmtimeError | None:
    """Return what ended a call early, if anything did."""
    if error:
        return WasmtimeError._from_ptr(error)
    return Trap._from_ptr(trap) if trap else None
