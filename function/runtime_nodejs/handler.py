"""The function `runtime-nodejs`: see `runtime.app.Front` for what it answers."""

from runtime.app import application

app = application("nodejs")
