"""The function `health`: see `controller.web.views.health` for what it answers."""

from controller.app import application

app = application("health")
