"""The function `functions`: see `controller.web.views.functions` for what it answers."""

from controller.app import application

app = application("functions")
