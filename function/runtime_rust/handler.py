"""The function `runtime-rust`: see `runtime.app.Front` for what it answers."""

from runtime.app import application

app = application("rust")
