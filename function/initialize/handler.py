"""The function `initialize`: see `controller.views.initialize` for what it answers."""

from controller.app import application

app = application("initialize")
