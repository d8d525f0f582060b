"""One instance of a script's module, for one call.

It uses wasmtime's C functions directly, with pointers as numbers and buffers that all calls share. The Python API
looks up types, copies through lists and creates objects at each step, which takes several times as long as the call.
Only this module depends on wasmtime's internals.
"""

import ctypes
import struct
from collections.abc import Callable, Mapping
from ctypes import addressof, byref, c_bool, c_int64, c_size_t, c_uint64, c_void_p
from enum import IntEnum
from typing import Any, NamedTuple

from wasmtime import Config, Engine, Linker, Module, Trap, WasmtimeError
from wasmtime import _ffi as raw

#: The `Outcome` of `glue.rs`, at the start of the request's buffer.
_OUTCOME = struct.Struct("<7I")

#: More fuel than a script can use before any deadline: fuel is counted, not limited.
_FUEL = (1 << 64) - 1

_Function = Callable[..., Any]


def _c(name: str, result: Any, *arguments: Any) -> _Function:
    """Return a function of wasmtime's C API."""
    function: _Function = ctypes.CFUNCTYPE(result, *arguments)((name, raw.dll))
    return function


_store_new = _c("wasmtime_store_new", c_void_p, c_void_p, c_void_p, c_void_p)
_store_context = _c("wasmtime_store_context", c_void_p, c_void_p)
_store_limiter = _c("wasmtime_store_limiter", None, c_void_p, *[c_int64] * 5)
_store_delete = _c("wasmtime_store_delete", None, c_void_p)
_wasi_new = _c("wasi_config_new", c_void_p)
_wasi_stdout = _c("wasi_config_inherit_stdout", None, c_void_p)
_wasi_stderr = _c("wasi_config_inherit_stderr", None, c_void_p)
_set_wasi = _c("wasmtime_context_set_wasi", c_void_p, c_void_p, c_void_p)
_set_fuel = _c("wasmtime_context_set_fuel", c_void_p, c_void_p, c_uint64)
_get_fuel = _c("wasmtime_context_get_fuel", c_void_p, c_void_p, c_void_p)
_instantiate = _c("wasmtime_instance_pre_instantiate", c_void_p, *[c_void_p] * 4)
_export_get = _c(
    "wasmtime_instance_export_get", c_bool, c_void_p, c_void_p, ctypes.c_char_p, c_size_t, c_void_p
)
_call = _c("wasmtime_func_call_unchecked", c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p)
_memory_data = _c("wasmtime_memory_data", c_void_p, c_void_p, c_void_p)
_memory_size = _c("wasmtime_memory_data_size", c_size_t, c_void_p, c_void_p)
_global_get = _c("wasmtime_global_get", None, c_void_p, c_void_p, c_void_p)

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
    """A module with its imports resolved, from which instances are created, one at a time."""

    def __init__(self, engine: Engine, linker: Linker, module: Module, memory_max_bytes: int) -> None:
        self._kept = engine, linker.instantiate_pre(module)
        self.engine, self.prepared = (ctypes.cast(each.ptr(), c_void_p).value for each in self._kept)
        self.memory_max_bytes = memory_max_bytes


class _Export:
    """An export of the current instance, looked up into memory that is allocated once."""

    def __init__(self, name: str, kind: Any) -> None:
        self._name, self._kind = name.encode(), kind.value
        self._found = raw.wasmtime_extern()
        self._place = byref(self._found)
        #: The address of a `wasmtime_func`, `wasmtime_memory` or `wasmtime_global`.
        self._address: int = addressof(self._found) + raw.wasmtime_extern.of.offset

    def find(self, context: int) -> int:
        """Look the export up. Return its address. Raises LookupError."""
        found = _export_get(context, _instance, self._name, len(self._name), self._place)
        if not found or int(self._found.kind) != self._kind:
            raise LookupError(f"the module does not export {self._name.decode()}")
        return self._address


# A process has one instance at a time, so these are made once.
_instance = byref(raw.wasmtime_instance())
_trap = c_void_p()
_trap_place = byref(_trap)
_fuel = c_uint64()
_fuel_place = byref(_fuel)
_values = (raw.wasmtime_val_raw * 2)()
_values_place = byref(_values)
_memory = _Export("memory", raw.WASMTIME_EXTERN_MEMORY)
_allocate = _Export("lambda_allocate", raw.WASMTIME_EXTERN_FUNC)
_handle = _Export("lambda_call", raw.WASMTIME_EXTERN_FUNC)
_stack_pointer = _Export("__stack_pointer", raw.WASMTIME_EXTERN_GLOBAL)


class Instance:
    """An instance of a module: separate memory and globals, and the process's output.

    A process has one at a time: it has to be closed before the next one is created.

    Raises:
        WasmtimeError: It cannot be created.
    """

    def __init__(self, template: InstanceTemplate) -> None:
        self._store = _store_new(template.engine, None, None)
        self._context = context = _store_context(self._store)
        wasi = _wasi_new()
        _wasi_stdout(wasi)
        _wasi_stderr(wasi)
        _store_limiter(self._store, template.memory_max_bytes, *_UNLIMITED)
        # Neither can fail in an engine that counts fuel and a linker that knows WASI.
        _set_wasi(context, wasi)
        _set_fuel(context, _FUEL)
        _trap.value = None
        if failure := _failure_of(_instantiate(template.prepared, context, _instance, _trap_place)):
            self.close()
            raise failure
        self._memory = _memory.find(context)

    def call(self, request: bytes) -> Outcome:
        """Run the script's handler. May be called once."""
        length = len(request)
        buffer, trap = self._invoke(_allocate, length)
        if trap is not None or buffer == 0:
            return Outcome(Kind.OUT_OF_MEMORY, size=length, trap=trap)
        ctypes.memmove(self._address(buffer + _OUTCOME.size, length), request, length)
        _, trap = self._invoke(_handle, buffer, length)
        return self._outcome(buffer, trap)

    def fuel_used(self) -> int:
        """Return the fuel used so far, including that of the start."""
        _get_fuel(self._context, _fuel_place)
        return _FUEL - _fuel.value

    def close(self) -> None:
        """Free the memory. The instance cannot be used afterwards."""
        _store_delete(self._store)

    def stack_is_exhausted(self) -> bool:
        """Return whether the stack in the script's memory has grown below its end, address 0."""
        pointer = raw.wasmtime_val()
        _global_get(self._context, _stack_pointer.find(self._context), byref(pointer))
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

    def _invoke(self, function: _Export, *arguments: int) -> tuple[int, Trap | WasmtimeError | None]:
        """Call a function. Return its result (undefined if it has none), and what ended it early."""
        context = self._context
        for value, argument in zip(_values, arguments, strict=False):
            value.i32 = argument
        _trap.value = None
        error = _call(context, function.find(context), _values_place, len(arguments), _trap_place)
        if failure := _failure_of(error):
            return 0, failure
        return _values[0].i32 & 0xFFFFFFFF, None

    def _read(self, offset: int, length: int) -> bytes:
        return ctypes.string_at(self._address(offset, length), length)

    def _address(self, offset: int, length: int) -> int:
        """Return the address in our memory. Offset and length are checked: the script may have written any number."""
        if offset + length > _memory_size(self._context, self._memory):
            raise ValueError("the script's outcome lies outside its memory")
        start: int = _memory_data(self._context, self._memory)
        return start + offset


def _failure_of(error: int | None) -> Trap | WasmtimeError | None:
    """Return what ended a call early, if anything did: the error that it returned, or its trap."""
    if error:
        return WasmtimeError._from_ptr(ctypes.cast(error, ctypes.POINTER(raw.wasmtime_error_t)))
    if _trap.value:
        return Trap._from_ptr(ctypes.cast(_trap.value, ctypes.POINTER(raw.wasm_trap_t)))
    return None
