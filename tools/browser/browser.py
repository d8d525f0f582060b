"""Browser: the process of a Chromium without a window. Each of its pages has storage of its own."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from local.fetch.debian_program import DebianProgram
from tools.browser.devtools import DevTools, DevToolsError
from tools.browser.page import Page

_OPTIONS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # it opens pages of this machine alone, and root has no other way
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--lang=en-GB",
)
#: Chromium reads commands from descriptor 3 and writes answers to 4, which are ours.
_START = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null'
#: Seconds that an end may take.
_END = 10


@contextmanager
def browser(chromium: DebianProgram) -> Iterator["Browser"]:
    """Run a Chromium until the end of the block. Raises DevToolsError when it does not start."""
    commands, writes = os.pipe()
    reads, answers = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            ["sh", "-c", _START, "sh", str(chromium.path), *_OPTIONS, f"--user-data-dir={profile}"],
            env=os.environ | chromium.environment | {"HOME": profile, "TZ": "UTC"},
            stdin=commands,
            stdout=answers,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        try:
            yield Browser(DevTools(writes, reads))
        finally:
            os.close(writes)
            os.close(reads)
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the end, which follows that of the pipes."""
    try:
        process.wait(_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Browser:
    """Opens pages."""

    def __init__(self, devtools: DevTools) -> None:
        self._devtools = devtools

    @contextmanager
    def page(
        self, width: int = 1280, height: int = 900, *, dark: bool = False, scale: int = 1
    ) -> Iterator[Page]:
        """Open a page with storage of its own. `scale`: dots of a picture for each pixel of the page."""
        devtools = self._devtools
        context = devtools.call("Target.createBrowserContext")["browserContextId"]
        target = devtools.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = devtools.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        try:
            page = Page(devtools, session)
            page.shape(width, height, dark=dark, scale=scale)
            yield page
        finally:
            devtools.call("Target.disposeBrowserContext", browserContextId=context)


__all__ = ["Browser", "DevToolsError", "browser"]
