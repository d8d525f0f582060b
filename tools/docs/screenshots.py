"""The pictures of the console: `python -m tools.docs.screenshots`, or `make screenshots`, on a service of its own."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import requests

from local.fetch import chromium, node
from local.fetch.command import UnavailableError
from local.local_service import TemporaryService
from local.settings import Settings
from local.state import ROOT
from local.supervisor.managed_process import PartError
from local.token import token
from tools.browser.browser import browser
from tools.browser.devtools import DevToolsError
from tools.browser.page import Page
from tools.console import CHROMIUM

PICTURES = ROOT / "docs" / "pictures"
SCOPE = "execute:all read:functions keys"
NAME = "python-price"
FIRST = (
    'def handle(params):\n    net = params["net"]\n    return {"net": net, "total": round(net * 1.2, 2)}\n'
)
SECOND = """RATES = {"book": 0.05, "food": 0.1}


def handle(params):
    rate = RATES.get(params["kind"], 0.2)
    print(f"{params['kind']}: {rate:.0%}")
    return {"net": params["net"], "rate": rate, "total": round(params["net"] * (1 + rate), 2)}
"""
BROKEN = """import json
from urllib.request import urlopen


def handle(params):
    with urlopen("https://rates.example.org/tax.json") as answer:
        rates = json.load(answer)
    return params["net"] * (1 + rates[params["kind"]])
"""
PROPERTIES = {
    "net": {"type": "number", "minimum": 0, "description": "without tax"},
    "kind": {"enum": ["book", "food", "toy"], "description": "decides the rate"},
}
EDITOR = "document.querySelector('.editor[data-ready=true]')"


def main() -> int:
    """The command. Returns its exit status."""
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            TemporaryService(
                Path(folder) / "service", Settings.on_free_ports(), ["python", "nodejs"], node.program(), None
            ) as service,
            browser(chromium.program(CHROMIUM)) as opened,
        ):
            address = service.parts.settings.address
            bearer = token(service.parts.state.secret("JWT_SECRET"), "ada", SCOPE)
            _fill(address, bearer)
            PICTURES.mkdir(exist_ok=True)
            for theme in ("light", "dark"):
                with opened.page(1180, 760, dark=theme == "dark") as page:
                    page.open(f"{address}/console#token={bearer}")
                    _take(page, theme)
    except (UnavailableError, PartError, DevToolsError) as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 1
    return 0


def _fill(address: str, bearer: str) -> None:
    """Make a function with two versions and a canary, by the calls that everybody has."""
    api = requests.Session()
    api.trust_env = False
    api.headers["Authorization"] = f"Bearer {bearer}"
    base = f"{address}/api/v1/functions/{NAME}"
    about = {
        "description": "The price with tax, by kind of goods",
        "tags": ["shop", "tax"],
        "schema": {"params": {"type": "object", "required": ["net"], "properties": PROPERTIES}},
        "examples": [{"name": "a toy", "params": {"net": 100, "kind": "toy"}}],
    }
    calls = [
        (base, {**about, "script_content": FIRST}),
        (base, {"script_content": SECOND}),
        (f"{base}/aliases/live", {"version": 1, "canary": {"version": 2, "weight": 0.1}}),
    ]
    for url, body in calls:
        api.put(url, json=body, timeout=60).raise_for_status()


def _take(page: Page, theme: str) -> None:
    views: dict[str, Callable[[Page], None]] = {
        "functions": lambda page: page.sees("nodejs-calculator"),
        "run": _run,
        "error": _error,
        "versions": _versions,
    }
    for name, show in views.items():
        show(page)
        (PICTURES / f"console-{name}-{theme}.png").write_bytes(page.picture())


def _run(page: Page) -> None:
    page.read(f"location.hash = '#/functions/{NAME}@2'")
    page.until(EDITOR, "the editor")
    page.click("button", "Run")
    page.until(
        "/cold|warm|cached/.test(document.querySelector('.result .badges')?.innerText)", "the whole result"
    )


def _error(page: Page) -> None:
    page.click("field", "Script")
    page.press("a", control=True)
    page.write(BROKEN)
    page.press("Enter", control=True)
    page.until("driver.inside('.cm-message').length", "the error in the editor")
    page.read("window.confirm = () => true")


def _versions(page: Page) -> None:
    page.read(f"location.hash = '#/functions/{NAME}/versions'")
    page.until("driver.inside('.cm-changedLine').length", "the difference")


if __name__ == "__main__":
    sys.exit(main())
