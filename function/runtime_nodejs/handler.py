"""The function `runtime-nodejs`, served by `runtime.front.app.Front`."""

from runtime.front.app import application

app = application("nodejs")
