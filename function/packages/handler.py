"""The function `packages`, served by `runtime.installer.app.Installer`."""

from runtime.installer.app import application

app = application()
