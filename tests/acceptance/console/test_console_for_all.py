"""The console for everybody: by keyboard alone, on a phone, in light and dark, offline, and with an expired token."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.console.conftest import Console
from tests.conftest import missing
from tools.console import PACKAGES

AXE = PACKAGES / "axe-core" / "axe.min.js"
#: Views, and a text by which each is there.
VIEWS = {
    "functions": "nodejs-calculator",
    "new/python": "Nothing has run yet",
    "functions/python-thing": "Nothing has run yet",
    "functions/python-thing/versions": "Difference",
    "executions": "python-thing",
    "usage": "Last day",
    "keys": "New key",
}


@pytest.fixture
def filled(console: Console) -> Iterator[Console]:
    """One with something in each view."""
    for number in (1, 2):
        body = {"script_content": f"def handle(params):\n    return {number}\n"}
        console.client.request("PUT", "/api/v1/functions/python-thing", json=body)
    console.client.request("POST", "/api/v1/functions/python-thing/execute", json={})
    console.client.request("POST", "/api/v1/keys", json={"name": "one", "scope": "execute:all"})
    yield console


def test_axe_finds_nothing_serious(filled: Console) -> None:
    if not AXE.is_file():
        missing("no axe-core: python -m tools.console --prepare")
    page = filled.page
    for dark in (False, True):
        page.shape(1280, 900, dark=dark)
        filled.open()
        page.read(f"{AXE.read_text()};0")
        for view, text in VIEWS.items():
            filled.go(*view.split("/"))
            page.sees(text)
            assert serious(filled) == [], (view, dark)
        filled.page.click("button", "Sign out")
        page.sees("The console needs a token")
        assert serious(filled) == [], ("sign in", dark)


def serious(console: Console) -> list[Any]:
    """What axe finds that keeps people out."""
    found = console.page.read(
        "axe.run(document, {resultTypes: ['violations']}).then(({violations}) => violations"
        ".filter(({impact}) => ['serious', 'critical'].includes(impact))"
        ".map(({id, nodes}) => [id, nodes.map(({html, failureSummary}) => [html.slice(0, 200), failureSummary])]))"
    )
    return list(found)


def test_nothing_is_wider_than_a_phone(filled: Console) -> None:
    filled.page.shape(375, 700)
    filled.open()
    for view, text in VIEWS.items():
        filled.go(*view.split("/"))
        filled.page.sees(text)
        assert filled.page.read("document.documentElement.scrollWidth") <= 375, view


def test_the_keyboard_is_enough(console: Console) -> None:
    page = console.page
    console.open()

    def tab_to(what: str) -> None:
        for _ in range(60):
            if page.read("driver.focused()") == what:
                return
            page.press("Tab")
        raise AssertionError(f"no way by Tab to {what}; it is at {page.read('driver.focused()')}")

    tab_to("a Python")
    page.press("Enter")
    page.until("document.querySelector('.editor[data-ready=true]')", "the editor")
    tab_to("div Script")
    page.press("a", control=True)
    page.write("def handle(params):\n    return 'typed'\n")
    page.press("Enter", control=True)
    page.sees('"typed"')
    page.press("Escape")
    page.press("Tab")
    assert page.read("driver.focused()") == "input Name"
    tab_to("button Run")
    page.press("ArrowRight")
    assert page.read("driver.focused()") == "button Examples"


def test_an_expired_token_leads_to_a_sentence(console: Console, expired_token: str) -> None:
    console.open(token=expired_token)
    console.page.sees("The token is not accepted any more: the token has expired.")
    console.page.fill("Token", console.client.token)
    console.page.press("Enter")
    console.page.sees("nodejs-calculator")


def test_what_is_not_saved_outlives_a_token(console: Console, expired_token: str) -> None:
    console.open("new", "python")
    console.write("def handle(params):\n    return 'kept'\n")
    console.page.send({"Authorization": f"Bearer {expired_token}"})
    console.page.press("Enter", control=True)
    console.page.sees("the token has expired. Sign in again to go on where you were.")
    console.page.send({})
    console.page.fill("Token", console.client.token)
    console.page.press("Enter")
    assert '"kept"' in console.run()


def test_offline_is_said_and_left_again(console: Console) -> None:
    page = console.page
    console.open("executions")
    page.sees("Nothing has run yet")
    page.offline(True)
    page.click("button", "Refresh")
    page.sees("This device is offline.")
    page.offline(False)
    page.click("button", "Try again")
    page.sees("Nothing has run yet")


def test_light_and_dark_can_be_chosen(console: Console) -> None:
    console.open()
    backs = []
    for choice in ("Light", "Dark"):
        console.page.choose("Colours", choice)
        backs.append(console.page.read("getComputedStyle(document.body).backgroundColor"))
    assert len(set(backs)) == 2
    console.open()
    assert console.page.read("getComputedStyle(document.body).backgroundColor") == backs[1]
