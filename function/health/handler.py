"""The function `health`: see `controller.views.health` for what it answers."""

from controller.app import application

app = application("health")
