"""The function `runtime-python`: see `runtime.app.Front` for what it answers."""

from runtime.app import application

app = application("python")
