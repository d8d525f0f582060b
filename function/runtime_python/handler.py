"""The function `runtime-python`, served by `runtime.front.app.Front`."""

from runtime.front.app import application

app = application("python")
