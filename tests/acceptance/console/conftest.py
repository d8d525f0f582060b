"""The console in a real Chromium, in front of the whole service."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from local.fetch import chromium
from local.fetch.command import UnavailableError
from tests.acceptance.client import Client
from tests.acceptance.conftest import SCOPES
from tests.acceptance.deployment import Deployment
from tests.conftest import missing
from tools.browser.browser import Browser, browser
from tools.browser.page import Page
from tools.console import CHROMIUM

LINES = "[...document.querySelector('.editor').shadowRoot.querySelectorAll('.cm-line')]"


class Console:
    """The console as one new user has it open."""

    def __init__(self, page: Page, client: Client) -> None:
        self.page = page
        self.client = client

    def open(self, *path: str, token: str | None = None) -> None:
        """Follow the link that `make run` prints, and go to a view."""
        self.page.open(f"{self.client.url}/console#token={token or self.client.token}")
        self.page.until("document.querySelector('h1')", "the page")
        if path:
            self.go(*path)

    def go(self, *path: str) -> None:
        self.page.read(f"location.hash = {json.dumps('#/' + '/'.join(path))}")

    def write(self, script: str) -> None:
        """Replace the script in the editor."""
        self.page.until("document.querySelector('.editor[data-ready=true]')", "the editor")
        self.page.click("field", "Script")
        self.page.press("a", control=True)
        self.page.write(script)

    def params(self, params: object) -> None:
        """Give the params as JSON."""
        if self.page.read("driver.has('button', 'as JSON')"):
            self.page.click("button", "as JSON")
        self.page.fill("Params as JSON", json.dumps(params))

    def run(self, state: str = "done") -> str:
        """Press Ctrl-Enter in the editor, wait for the outcome, and return what is shown of it."""
        self.page.click("field", "Script")
        self.page.press("Enter", control=True)
        self.page.until(f"document.querySelector('.result[data-state={state}]')", f"a run that has {state}")
        return str(self.page.read("document.querySelector('.result').innerText"))

    @property
    def marked_line(self) -> int:
        """The number of the line with the mark of an error; 0: there is none."""
        return int(self.page.read(f"{LINES}.findIndex((line) => line.querySelector('.cm-lintRange')) + 1"))

    @property
    def messages(self) -> list[str]:
        """What the editor says below its lines."""
        return list(self.page.read("driver.inside('.cm-message')"))


def member(service: Deployment) -> Client:
    """A new user who may do everything."""
    client = service.client()
    return client.speaking_for(client.sub, SCOPES)


@pytest.fixture(scope="session")
def chromium_browser() -> Iterator[Browser]:
    try:
        program = chromium.program(CHROMIUM)
    except UnavailableError as reason:
        missing("no Chromium", reason)
    with browser(program) as opened:
        yield opened


@pytest.fixture
def console(service: Deployment, chromium_browser: Browser) -> Iterator[Console]:
    """A page. Whatever a test does, nothing is asked of another origin, blocked by the policy, or thrown."""
    with chromium_browser.page() as page:
        yield Console(page, member(service))
        asked = [url for url in page.requests if not url.startswith("data:")]
        assert {"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in asked} == {service.url}
        assert page.violations == []
        assert page.faults == []
