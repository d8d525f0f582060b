"""What a scenario is and works with; sessions and executions as scenarios need them before they measure."""

import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

import gevent

from bench.connection import Answer, Connection, UnexpectedAnswer
from bench.service import Service
from bench.wrk import Load, Wrk


@dataclass(frozen=True)
class Scale:
    """How much is done. Tests do very little."""

    seconds: int = 3
    """Of one run under load."""
    clients: int = 32
    times: int = 20
    """Requests of a single client in one run."""
    compilations: int = 4
    sessions: int = 1000
    compiled_sessions: int = 150
    """Of compiled scripts: enough that no script finds its worker when its turn comes."""
    connections: int = 10_000
    hold: int = 60
    """Seconds that the connections are held."""
    rest: int = 10
    """Seconds between the start of a service and a look at its memory."""


@dataclass
class Bench:
    """What scenarios share."""

    service: Service
    wrk: Wrk
    scale: Scale
    announce: Callable[[str], None]
    latest: dict[str, dict[str, float]] = field(default_factory=dict)
    """The figures of the latest run of each scenario, by its name."""


#: One run. It calls its argument after its own preparation, when the measured part begins.
Begin = Callable[[], None]
Run = Callable[[Begin], Load]


@dataclass(frozen=True)
class Scenario(ABC):
    """One row of the table. `language` is that of its scripts; it may have none."""

    name: str
    title: str
    language: str

    @property
    def references(self) -> tuple[str, ...]:
        """Scenarios that run before this one, and that its throughput is compared with."""
        return ()

    @abstractmethod
    def prepare(self, bench: Bench) -> Run:
        """Do once what all runs need, and return one run."""


def expect_ok(answer: Answer) -> bytes:
    """The body of a good answer. Raises UnexpectedAnswer."""
    if answer.status != 200:
        raise UnexpectedAnswer(f"{answer.status} {answer.body.decode(errors='replace')[:500]}")
    return answer.body


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


def initialize(
    connection: Connection, language: str, script: str, title: str = "bench", isolation: str = "session"
) -> str:
    """Open a session; returns the path to execute in it. Raises UnexpectedAnswer."""
    body = json.dumps({"script_content": script, "context": {"isolation": isolation}}).encode()
    document = json.loads(expect_ok(connection.post(INITIALIZE, body, title_line(language, title))))
    return EXECUTE + str(document["request_id"])


def session(
    service: Connecting, language: str, script: str, title: str = "bench", isolation: str = "session"
) -> str:
    """Open a session over a new connection; returns the path to execute in it. Raises UnexpectedAnswer."""
    connection = service.connect()
    try:
        return initialize(connection, language, script, title, isolation)
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
