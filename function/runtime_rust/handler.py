"""The function `runtime-rust`, served by `runtime.front.app.Front`."""

from runtime.front.app import application

app = application("rust")
