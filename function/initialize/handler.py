"""The function `initialize`: see `controller.web.views.initialize` for what it answers."""

from controller.app import application

app = application("initialize")
