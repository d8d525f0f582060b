"""The function `functions`: see `controller.views.functions` for what it answers."""

from controller.app import application

app = application("functions")
