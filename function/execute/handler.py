"""The function `execute`: see `controller.web.views.execute` for what it answers."""

from controller.app import application

app = application("execute")
