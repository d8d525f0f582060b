"""Compares the CPU time of this checkout and of another commit: `make bench-compare BASE=<commit>`.

Three services run side by side: BASE, this checkout (NEW), and this checkout again (SAME). In each round each of them
gets the same requests, in an order that alternates. The median over the rounds of NEW/BASE must be below the bound
plus the spread of SAME/NEW, which is the noise of this run. No wall time plays a part.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from itertools import islice, repeat
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.command import FOLDER, announce, save, status_of
from bench.measurement import cpu_per_request
from bench.scenarios.scenario import (
    INITIALIZE,
    TRIVIAL,
    burst,
    function,
    new_scripts,
    session,
    title_line,
)
from bench.states import State, checked_out, python_of, settle
from local.state import ROOT

BOUND, ROUNDS = 1.03, 15
#: Microseconds a request below which a process is not judged: a tick of the kernel's clock is a tenth of them.
LEAST = 50
MISSED = "MISSED"


class Work(NamedTuple):
    """The requests of one round.

    Attributes:
        fresh: each has another number. Else all have the same, whose result is cached.
        by_name: BASE executes a session, NEW and SAME the function.
        extra: what NEW may cost more than the bound says, as a share of BASE.
        padding: bytes of params beside the number.
        begins: the requests begin sessions, of a `known` script or of `new` ones. Empty: they are executions.
    """

    name: str
    language: str
    requests: int = 1200
    fresh: bool = True
    by_name: bool = False
    extra: float = 0.0
    padding: int = 0
    begins: str = ""


WORKS = (
    Work("cached", "python", 3000, fresh=False),
    Work("warm-python", "python"),
    Work("warm-nodejs", "nodejs"),
    Work("warm-rust", "rust"),
    Work("16-kib", "python", 400, padding=16 << 10),
    Work("one-mib", "python", 40, padding=1 << 20),
    # Together with the bound: 5%.
    Work("cached-by-name", "python", 3000, fresh=False, by_name=True, extra=0.02),
    Work("warm-by-name", "python", by_name=True, extra=0.02),
    Work("initialize-known-python", "python", 400, begins="known"),
    Work("initialize-new-python", "python", 150, begins="new"),
    Work("initialize-new-nodejs", "nodejs", 20, begins="new"),
)
DEFAULT = "cached,warm-python,warm-nodejs"


@dataclass(frozen=True)
class Row:
    """One process in one scenario: microseconds of CPU a request, by round."""

    scenario: str
    process: str
    base: Sequence[float]
    new: Sequence[float]
    same: Sequence[float]
    extra: float = 0.0

    @property
    def ratio(self) -> float:
        return median(ratios(self.new, self.base))

    @property
    def spread(self) -> float:
        """Half of the rounds measure the same state with at most this difference."""
        return median(abs(ratio - 1) for ratio in ratios(self.same, self.new))

    def verdict(self, bound: float) -> str:
        if max(median(self.base), median(self.new)) < LEAST:
            return "too little to judge"
        return "ok" if self.ratio < bound + self.extra + self.spread else MISSED


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Round by round: infinite over nothing, and 1 for nothing over nothing."""
    return [a / b if b else float("inf") if a else 1.0 for a, b in zip(over, under, strict=True)]


class Side:
    """One state that is measured, with a session or a function for each work."""

    def __init__(self, state: State, works: Sequence[Work], *, is_base: bool) -> None:
        self._state = state
        self._paths = {
            each.name: (function if each.by_name and not is_base else session)(
                state, each.language, TRIVIAL[each.language]
            )
            for each in works
        }
        for work in works:
            # Fills the cache and starts the workers.
            self._load(work, 0)
        self._meters = {work.name: state.meter(work.language) for work in works}

    def cost(self, work: Work, turn: int) -> dict[str, float]:
        """Microseconds of CPU a request, by process and of all. Raises UnexpectedAnswer."""
        meter = self._meters[work.name]
        settle(meter)
        before = meter.cpu()
        self._load(work, turn)
        settle(meter)
        used = {name: seconds - before[name] for name, seconds in meter.cpu().items()}
        return {name.removeprefix("cpu "): us for name, us in cpu_per_request(used, work.requests).items()}

    def _load(self, work: Work, turn: int) -> None:
        if work.begins:
            scripts = new_scripts(work.language, f"{work.name} {turn}")
            if work.begins == "known":
                scripts = repeat(TRIVIAL[work.language])
            bodies = (
                json.dumps({"script_content": script}).encode() for script in islice(scripts, work.requests)
            )
            title = title_line(work.language, work.name)
            burst(self._state, ((INITIALIZE, body, title) for body in bodies))
            return
        first = turn * work.requests
        numbers = range(first, first + work.requests) if work.fresh else [1] * work.requests
        path = self._paths[work.name]
        body = b'{"params": {"n": %d, "padding": "%s"}}'
        padding = b"x" * work.padding
        burst(self._state, ((path, body % (number, padding), "") for number in numbers))


def compared(base: str, works: Sequence[Work], rounds: int, folder: Path = FOLDER) -> list[Row]:
    """The rows of all works. Raises PartError or UnexpectedAnswer."""
    found: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with ExitStack() as stack:
        checkout = stack.enter_context(checked_out(base, folder))
        python, sides = python_of(checkout), dict[str, Side]()
        for name, place in (("base", checkout), ("new", ROOT), ("same", ROOT)):
            announce(f"starting {name}")
            interpreter = python if name == "base" else Path(sys.executable)
            state = State(place, interpreter, rust="rust" in {work.language for work in works})
            sides[name] = Side(stack.enter_context(state), works, is_base=name == "base")
        for turn in range(1, rounds + 1):
            announce(f"round {turn} of {rounds}")
            for work in works:
                for name in list(sides)[:: 1 if turn % 2 else -1]:
                    for process, us in sides[name].cost(work, turn).items():
                        found[work.name, process][name].append(us)
    extra = {work.name: work.extra for work in works}
    return [Row(scenario, process, **us, extra=extra[scenario]) for (scenario, process), us in found.items()]


def table(rows: Sequence[Row], bound: float) -> Iterator[str]:
    yield f"{'us of CPU a request':21}{'process':12}{'base':>9}{'new':>9}{'new/base':>10}{'spread':>8}  verdict"
    for row in rows:
        figures = f"{median(row.base):9.1f}{median(row.new):9.1f}{row.ratio:10.3f}{row.spread:8.3f}"
        yield f"{row.scenario:21}{row.process:12}{figures}  {row.verdict(bound)}"
    extra = "".join(sorted({f" (+ {row.extra:g} in {row.scenario})" for row in rows if row.extra}))
    yield f"new/base, the median of the rounds, must be below {bound:g}{extra} plus the spread of the same state"


def run(arguments: argparse.Namespace) -> int:
    """Compare, print and save. Raises PartError or UnexpectedAnswer."""
    patterns = arguments.scenario.split(",")
    works = [work for work in WORKS if any(fnmatch(work.name, pattern) for pattern in patterns)]
    rows = compared(arguments.base, works, arguments.rounds)
    save(arguments.results, {"base": arguments.base, "rows": list(map(asdict, rows))})
    print(*table(rows, arguments.bound), sep="\n")
    return int(any(row.verdict(arguments.bound) == MISSED for row in rows))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("--base", required=True, help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scenario", default=DEFAULT, help="names or patterns, separated by commas")
    parser.add_argument("--bound", type=float, default=BOUND, help="of new/base, before the spread is added")
    parser.add_argument("--results", type=Path, default=FOLDER / "compare.json", help="where the figures go")
    arguments = parser.parse_args()
    return status_of(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
