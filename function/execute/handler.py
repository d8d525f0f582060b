"""The function `execute`: see `controller.views.execute` for what it answers."""

from controller.app import application

app = application("execute")
