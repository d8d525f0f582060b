"""The page `/docs`: Swagger UI, as the package flask-swagger-ui brings it, shows the OpenAPI document."""

from importlib.resources import files
from pathlib import Path

from controller.web.pages import Page

_OWN = Path(__file__).parent
_SWAGGER_UI = Path(str(files("flask_swagger_ui"))) / "dist"
REFERENCE = Page(
    html=_OWN / "docs.html",
    files={name: _OWN / name for name in ("docs.js", "docs.css")}
    | {name: _SWAGGER_UI / name for name in ("swagger-ui-bundle.js", "swagger-ui.css")},
)
