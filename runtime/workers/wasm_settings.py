"""Settings of wasmtime. They are in a separate module because the front needs them without wasmtime."""

#: Attributes of `wasmtime.Config`. A serialized module only fits the settings of its creation: they are in its key.
ENGINE_SETTINGS = {"consume_fuel": True}

#: Bytes of a call on the process's stack: return addresses, and what does not fit into registers. A script's own
#: stack, of variables that have an address, lies in its memory.
CALL_STACK_BYTES = 8 << 20

#: Bytes of the process's stack, which also holds the frames of Python below the call.
STACK_BYTES = 2 * CALL_STACK_BYTES

#: Limits of the memory that instances reuse: a process has one instance at a time, with the most memory and functions
#: that are possible. See `wasmtime_pooling_allocation_config`.
POOL_SETTINGS = {
    "total_core_instances": 1,
    "total_memories": 1,
    "max_memory_size": 1 << 32,
    "total_tables": 1,
    "table_elements": 1 << 20,
    # Bytes that are zeroed between two calls. The kernel would take the pages back, and give new ones.
    "table_keep_resident": 64 << 10,
    "max_core_instance_size": 16 << 20,
    "total_stacks": 0,
    "total_component_instances": 0,
    "total_gc_heaps": 0,
}
