"""The function `runtime-rust`: see `runtime.front.app.Front` for what it answers."""

from runtime.front.app import application

app = application("rust")
