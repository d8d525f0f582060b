"""Load made by wrk: the plan it is given, and what it tells."""

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import count
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from bench.load import Load
from local.fetch.debian_program import DebianProgram
from local.supervisor.ports import LOOPBACK

SCRIPT = Path(__file__).with_name("wrk.lua")
CLIENTS = 32
#: Seconds that wrk waits for an answer, and that it may take to come to its end.
TIMEOUT = 30
_MEASURED = re.compile(r"^measured (\{.*\})$", re.MULTILINE)
#: Of the numbers that requests carry: no two plans of a process share one, so that nothing is known by chance.
_NUMBERS = count(1_000_000_000, 10_000_000)


class LoadError(Exception):
    """wrk did not do its work. The message is its own."""


@dataclass(frozen=True)
class Plan:
    """What wrk asks, by POST, over kept-alive connections."""

    paths: Sequence[str]
    """Asked in turn."""
    headers: dict[str, str]
    before: str
    """A body is this, a number, and `after`."""
    after: str
    lines: Sequence[str] = ("",)
    """Further headers, with their ends of line: with each path go each of them in turn."""
    fresh: float = 0.0
    """The share of requests with a number that was never asked before; the others ask for one of the known."""
    known: int = 1
    """How many numbers are asked again and again."""
    first: int = field(default_factory=lambda: next(_NUMBERS))
    """The first of the known numbers; fresh ones come after them."""
    answer: str = '"result": *(%d+)'
    """A Lua pattern with one capture that a right answer matches."""
    counts: bool = True
    """Whether the capture must be a number that was asked, plus one."""
    pause: int = 0
    """Milliseconds that a client waits before a request on average, evenly spread from none to twice as many."""

    def anew(self) -> "Plan":
        """The same with other numbers: whatever it asks for is known to nobody yet."""
        return replace(self, first=next(_NUMBERS))

    def body(self, number: int) -> bytes:
        return f"{self.before}{number}{self.after}".encode()

    def lua(self) -> str:
        """The plan as a file of Lua."""
        lines = {each.name: getattr(self, each.name) for each in fields(self)}
        # As one text: Lua takes no more than some ten thousand constants.
        lines["paths"] = "\n".join(self.paths)
        lines["headers"] = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return (
            "return {\n"
            + "".join(f"   {name} = {_literal(value)},\n" for name, value in lines.items())
            + "}\n"
        )


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
