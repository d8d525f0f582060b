"""The function `sessions`: see `controller.views.sessions` for what it answers."""

from controller.app import application

app = application("sessions")
