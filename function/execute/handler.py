"""The function `execute`: see its rows in `controller.web.routes` for what it answers."""

from controller.app import application

app = application("execute")
