"""The function `execute`. Its rows in `controller.web.routes` say what it answers."""

from controller.app import application

app = application("execute")
