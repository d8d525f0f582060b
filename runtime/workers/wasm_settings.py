"""How wasmtime is set up, apart from it, for the front need not load it."""

#: Attributes of `wasmtime.Config`. A serialized module fits the settings it was made with: they are part of its key.
ENGINE_SETTINGS = {"consume_fuel": True}

#: Limits of the place that one instance after the other lies in: a process has one at a time, with all the memory
#: there can be and as many functions as a module has room for. See `wasmtime_pooling_allocation_config`.
POOL_SETTINGS = {
    "total_core_instances": 1,
    "total_memories": 1,
    "max_memory_size": 1 << 32,
    "total_tables": 1,
    "table_elements": 1 << 20,
    "max_core_instance_size": 16 << 20,
    "total_stacks": 0,
    "total_component_instances": 0,
    "total_gc_heaps": 0,
}
