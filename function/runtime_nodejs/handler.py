"""The function `runtime-nodejs`: see `runtime.front.app.Front` for what it answers."""

from runtime.front.app import application

app = application("nodejs")
