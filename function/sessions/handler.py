"""The function `sessions`: see `controller.web.views.sessions` for what it answers."""

from controller.app import application

app = application("sessions")
