"""The function `initialize`. Its rows in `controller.web.routes` say what it answers."""

from controller.app import application

app = application("initialize")
