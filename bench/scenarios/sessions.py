"""The scripts that are measured: in each language one that does next to nothing, and one that computes."""

import itertools
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

import gevent

from bench.connection import Connection
from bench.scenarios.scenario import expect_ok

_TEMPLATES = {
    "python": "def handle(params):\n    %s\n    return params['n'] + 1\n",
    "nodejs": "module.exports = async (event) => { %s return event.params.n + 1; };\n",
    "rust": """pub fn handler(
    context: serde_json::Map<String, serde_json::Value>,
) -> Result<serde_json::Value, String> {
    %s
    let n = context["params"]["n"].as_i64().ok_or("n is missing")?;
    Ok(serde_json::json!(n + 1))
}
""",
}
#: About ten milliseconds of work.
_LOOPS = {
    "python": "for _ in range(500_000): pass",
    "nodejs": "for (let i = 0; i < 15e6; i++);",
    "rust": "let mut x = 1; for _ in 0..2_000_000 { x = x * 75 % 65537; } assert!(x > 0);",
}
TRIVIAL = {language: text % "" for language, text in _TEMPLATES.items()}
BUSY = {language: text % _LOOPS[language] for language, text in _TEMPLATES.items()}
COMMENTS = {"python": "#", "nodejs": "//", "rust": "//"}


def new_scripts(language: str, mark: str = "") -> Iterator[str]:
    """Trivial scripts that differ in a comment, and from those with another mark."""
    for number in itertools.count():
        yield f"{TRIVIAL[language]}{COMMENTS[language]} {mark} {number}\n"


EXECUTE = "/api/v1/execute/"
INITIALIZE = "/api/v1/initialize"
FUNCTIONS = "/api/v1/functions"
#: Clients of a burst: the runtime starts at most as many workers of one script.
BURST_CLIENTS = 16
#: Clients that open sessions: a small machine has few compilers, and refuses more at a time.
INITIALIZING = 2


class Connecting(Protocol):
    """A running service."""

    def connect(self, *, cooperative: bool = False) -> Connection: ...


def title_line(language: str, title: str = "bench") -> str:
    """The header with a script's title, with its end of line."""
    return f"Language-Title: {language}-{title}\r\n"


def initialize(connection: Connection, language: str, script: str, title: str = "bench") -> str:
    """Open a session; returns the path to execute in it. Raises UnexpectedAnswer."""
    body = json.dumps({"script_content": script}).encode()
    document = json.loads(expect_ok(connection.post(INITIALIZE, body, title_line(language, title))))
    return EXECUTE + str(document["request_id"])


def session(service: Connecting, language: str, script: str, title: str = "bench") -> str:
    """Open a session over a new connection; returns the path to execute in it. Raises UnexpectedAnswer."""
    connection = service.connect()
    try:
        return initialize(connection, language, script, title)
    finally:
        connection.close()


def function(service: Connecting, language: str, script: str) -> str:
    """Register a function; returns the path to execute it by name. Raises UnexpectedAnswer."""
    session(service, language, script, "named")
    return f"{FUNCTIONS}/{language}-named/execute"


def sessions(service: Connecting, language: str, number: int) -> list[str]:
    """Open `number` sessions, each with another script; returns the paths. Raises UnexpectedAnswer."""
    scripts = islice(new_scripts(language, "rotation"), number)
    paths: list[str] = []

    def work() -> None:
        connection = service.connect(cooperative=True)
        for script in scripts:
            paths.append(initialize(connection, language, script))
        connection.close()

    gevent.joinall([gevent.spawn(work) for _ in range(INITIALIZING)], raise_error=True)
    return paths


def burst(service: Connecting, requests: Iterable[tuple[str, bytes, str]]) -> None:
    """Post each request (path, body, header lines), from several clients. Raises UnexpectedAnswer."""
    waiting = iter(requests)

    def work() -> None:
        connection = service.connect(cooperative=True)
        for request in waiting:
            expect_ok(connection.post(*request))
        connection.close()

    gevent.joinall([gevent.spawn(work) for _ in range(BURST_CLIENTS)], raise_error=True)
