"""Page: one page of a browser, used as a person uses it: by what is to be read on it, with mouse and keyboard."""

import base64
import json
from pathlib import Path
from typing import Any

from local.supervisor.proc import wait_until
from tools.browser.devtools import DevTools, DevToolsError, Event

#: Seconds until what is looked for is given up, on a machine however busy.
PATIENCE = 60.0
_SCRIPT = Path(__file__).with_name("page.js").read_text()
#: Keys by their name: code, number of Windows, text.
_KEYS = {
    "Enter": ("Enter", 13, "\r"),
    "Tab": ("Tab", 9, ""),
    "Escape": ("Escape", 27, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "a": ("KeyA", 65, "a"),
    "s": ("KeyS", 83, "s"),
}
_CONTROL = 2


class Page:
    """One page, and what happened in it."""

    def __init__(self, devtools: DevTools, session: str) -> None:
        self._devtools = devtools
        self._session = session
        #: The addresses of all requests.
        self.requests: list[str] = []
        #: Errors of scripts, and what the console of the browser had to say.
        self.faults: list[str] = []
        devtools.listen(session, self._heard)
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")
        self._call("Page.addScriptToEvaluateOnNewDocument", source=_SCRIPT)

    def shape(self, width: int, height: int, *, dark: bool = False, scale: int = 1) -> None:
        """Set the size of the window, in pixels, and whether the system is dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def offline(self, off: bool) -> None:
        """Take the network away, or give it back."""
        shape = {"offline": off, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self._call("Network.emulateNetworkConditions", **shape)

    def send(self, headers: dict[str, str]) -> None:
        """Put headers into all requests, in the place of the page's."""
        self._call("Network.setExtraHTTPHeaders", headers=headers)

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page is there."""
        self._call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'", f"the page {url}")

    def read(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited. Raises DevToolsError where it throws."""
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if thrown := answer.get("exceptionDetails"):
            raise DevToolsError(thrown.get("exception", {}).get("description", thrown["text"]))
        return answer["result"].get("value")

    def until(self, expression: str, what: str) -> None:
        """Wait until an expression holds. Raises DevToolsError, which says what the page shows instead."""
        if not wait_until(lambda: self.read(f"Boolean({expression})") is True, PATIENCE):
            raise DevToolsError(f"waited in vain for {what}; the page shows:\n{self.text}\n{self.faults}")

    def sees(self, text: str) -> None:
        """Wait until the page shows a text."""
        self.until(f"driver.text().includes({json.dumps(text)})", repr(text))

    def click(self, role: str, name: str) -> None:
        """Click on the first shown element of this role whose name begins so, once there is one."""
        self.until(_call("driver.has", role, name), f"{role} {name!r}")
        x, y = self.read(_call("driver.spot", role, name))
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def fill(self, name: str, text: str) -> None:
        """Replace what a field has."""
        self.click("field", name)
        self.press("a", control=True)
        self.write(text)

    def choose(self, name: str, option: str) -> None:
        """Choose an option of a list."""
        self.until(_call("driver.has", "field", name), f"field {name!r}")
        self.read(_call("driver.choose", name, option))

    def write(self, text: str) -> None:
        """Write a text where the focus is."""
        self._call("Input.insertText", text=text)

    def press(self, key: str, *, control: bool = False) -> None:
        """Press a key."""
        code, number, text = _KEYS[key]
        sent = {
            "key": key,
            "code": code,
            "windowsVirtualKeyCode": number,
            "modifiers": _CONTROL if control else 0,
        }
        commands = ["selectAll"] if (key, control) == ("a", True) else []
        typed = {} if control or not text else {"text": text}
        self._call("Input.dispatchKeyEvent", type="keyDown", commands=commands, **typed, **sent)
        self._call("Input.dispatchKeyEvent", type="keyUp", **sent)

    @property
    def text(self) -> str:
        """All that can be read on the page."""
        return str(self.read("driver.text()"))

    @property
    def violations(self) -> list[str]:
        """What the policy of the page has blocked since it was opened."""
        return list(self.read("driver.violations"))

    def picture(self) -> bytes:
        """Return the window as a PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._devtools.call(method, self._session, **params)

    def _heard(self, event: Event) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.faults.append(details.get("exception", {}).get("description", details["text"]))
            case "Log.entryAdded" if params["entry"]["source"] != "network":
                self.faults.append(params["entry"]["text"])


def _call(function: str, *arguments: str) -> str:
    return f"{function}({', '.join(map(json.dumps, arguments))})"
