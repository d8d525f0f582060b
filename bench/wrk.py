"""Load made by wrk: its plan, what it counted, and its figures."""

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import count
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from local.fetch.debian_program import DebianProgram
from local.supervisor.ports import LOOPBACK


@dataclass(frozen=True)
class Load:
    """The answers of one run."""

    requests: int
    seconds: float
    refused: int
    """Answers with another status than 200."""
    wrong: int
    """Answers with status 200 and a wrong body."""
    broken: int
    """Requests without an answer."""
    p50: float
    """Milliseconds, as the next two."""
    p95: float
    p99: float
    more: dict[str, float] = field(default_factory=dict)
    """Figures of this scenario alone, by name."""


@dataclass
class Tally:
    """Counts the answers of our own clients."""

    took: list[float] = field(default_factory=list)
    """Milliseconds of each right answer."""
    refused: int = 0
    wrong: int = 0
    broken: int = 0

    @property
    def errors(self) -> int:
        return self.refused + self.wrong + self.broken

    def load(self, seconds: float, **more: float) -> Load:
        """All answers so far, received within `seconds`."""
        took = sorted(self.took)
        p50, p95, p99 = (quantile(took, share) for share in (0.5, 0.95, 0.99))
        requests = len(took) + self.errors
        return Load(requests, seconds, self.refused, self.wrong, self.broken, p50, p95, p99, more)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; 0 when there is none."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


SCRIPT = Path(__file__).with_name("wrk.lua")
CLIENTS = 32
#: Seconds that wrk waits for an answer, and that it may take to come to its end.
TIMEOUT = 30
_MEASURED = re.compile(r"^measured (\{.*\})$", re.MULTILINE)
#: The first numbers of plans: no two plans of a process share a number, so that no result is cached by chance.
_NUMBERS = count(1_000_000_000, 10_000_000)


class LoadError(Exception):
    """wrk failed. The message is its output."""


@dataclass(frozen=True)
class Plan:
    """What wrk asks, by POST, over kept-alive connections.

    Args:
        paths: asked in turn.
        before: the text before the number in a body; `after` follows it.
        lines: further headers, each with its end of line: each path is asked with each of them.
        fresh: share of requests with a new number; the others have one of the `known` numbers, from `first` on.
        answer: a Lua pattern with one capture that a right answer matches.
        counts: whether the capture must be a number that was asked, plus one.
        pause: mean milliseconds before a client's request, evenly spread from none to twice as many.
    """

    paths: Sequence[str]
    headers: dict[str, str]
    before: str
    after: str
    lines: Sequence[str] = ("",)
    fresh: float = 0.0
    known: int = 1
    first: int = field(default_factory=lambda: next(_NUMBERS))
    answer: str = '"result": *(%d+)'
    counts: bool = True
    pause: int = 0

    def anew(self) -> "Plan":
        """The same with other numbers, which have no cached results."""
        return replace(self, first=next(_NUMBERS))

    def request(self, number: int) -> tuple[str, bytes, str]:
        """The first path, the body with this number, and the first further headers."""
        return self.paths[0], f"{self.before}{number}{self.after}".encode(), self.lines[0]

    def lua(self) -> str:
        """The plan as a file of Lua."""
        lines = {each.name: getattr(self, each.name) for each in fields(self)}
        # As one text: Lua takes no more than some ten thousand constants.
        lines["paths"] = "\n".join(self.paths)
        lines["headers"] = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return "return {\n" + "".join(f"   {name} = {_literal(lines[name])},\n" for name in lines) + "}\n"


class Wrk:
    """The program; each call is one run."""

    def __init__(self, program: DebianProgram) -> None:
        self._program = program

    def __call__(self, port: int, plan: Plan, seconds: int, clients: int = CLIENTS) -> Load:
        """Load `port` for so long. Raises LoadError."""
        with tempfile.NamedTemporaryFile("w", prefix="plan-", suffix=".lua") as file:
            file.write(plan.lua())
            file.flush()
            options = ["--threads", "1", "--connections", str(clients), "--duration", f"{seconds}s"]
            script = ["--timeout", f"{TIMEOUT}s", "--script", str(SCRIPT)]
            before = getrusage(RUSAGE_CHILDREN)
            done = subprocess.run(
                [str(self._program.path), *options, *script, f"http://{LOOPBACK}:{port}", "--", file.name],
                env=self._program.environment,
                capture_output=True,
                text=True,
                timeout=seconds + TIMEOUT,
                check=False,
            )
            after = getrusage(RUSAGE_CHILDREN)
        load = measured(done.stdout + done.stderr)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return replace(load, more={"cpu load": spent / max(load.requests, 1) * 1e6})


def measured(output: str) -> Load:
    """What `wrk.lua` printed last. Raises LoadError."""
    found = _MEASURED.search(output)
    if found is None:
        raise LoadError(output.strip())
    return Load(**json.loads(found.group(1)))


def _literal(value: object) -> str:
    """Lua's notation, which is JSON's for numbers, switches and text of ASCII. Raises ValueError for other text."""
    if isinstance(value, list | tuple):
        return "{" + ", ".join(map(_literal, value)) + "}"
    if isinstance(value, str) and not value.isascii():
        raise ValueError(f"not ASCII: {value!r}")
    return json.dumps(value)
