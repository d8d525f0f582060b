"""How wasmtime is set up, apart from it, for the front need not load it."""

#: Attributes of `wasmtime.Config`. A serialized module fits the settings it was made with: they are part of its key.
ENGINE_SETTINGS = {"consume_fuel": True}
