"""Measures what each stage of a request costs, and prints the table: `python -m bench.stages.run`.

A process's CPU time a request is measured as `make bench` does; what its stages have of it is sampled. So the table
adds up to what is measured, and a stage that has not been thought of shows as `other`.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import median

from bench.load import Load
from bench.machine import facts
from bench.measurement import figures
from bench.scenarios.requests import Execute
from bench.scenarios.scenario import Bench, Run, Scale
from bench.scripts import TRIVIAL
from bench.service import Service
from bench.stages.stage import MARK, NAMES
from bench.wrk import Wrk
from local.fetch import wrk
from local.fetch.debian_packages import PackagesError
from local.run import complain
from local.state import ROOT
from local.supervisor.managed_process import PartError
from local.supervisor.proc import children, wait_until
from local.supervisor.python_server import HttpServer

RESULTS = ROOT / "bench" / "results" / "stages.json"
LANGUAGE = "python"
SAMPLED = {"GUNICORN_CMD_ARGS": "--worker-class bench.stages.sampled_worker.SampledWorker"}
LOADS = (
    Execute("cached", "execute, cached", LANGUAGE, TRIVIAL[LANGUAGE], yardsticks=()),
    Execute("warm", "execute, warm, Python", LANGUAGE, TRIVIAL[LANGUAGE], 1.0, yardsticks=()),
)
#: Processes whose stages are known, and those that are one stage each.
INSIDE = ("controller", "front")
WHOLE = {"workers": "worker process", "redis": "Redis", "postgres": "PostgreSQL"}
#: Seconds until a worker has written its counts.
PATIENCE = 10.0
announce = partial(print, flush=True, file=sys.stderr)
Table = dict[tuple[str, str], float]
"""Microseconds of CPU a request, by process and stage."""


class Sampling:
    """The counts of one server's worker."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._worker = children(server.pid)[0]

    def begin(self) -> None:
        os.kill(self._worker, signal.SIGUSR2)

    def end(self) -> dict[str, int]:
        """The samples of each stage since `begin`. Raises PartError where they do not come."""
        written = len(self._lines())
        os.kill(self._worker, signal.SIGUSR2)
        if not wait_until(lambda: len(self._lines()) > written, PATIENCE):
            raise PartError(f"{self._server.name} does not tell its stages", self._server.log_lines())
        counts: dict[str, int] = json.loads(self._lines()[-1].removeprefix(MARK))
        return counts

    def _lines(self) -> list[str]:
        lines = self._server.log.read_text(errors="replace").splitlines()
        return [line for line in lines if line.startswith(MARK)]


def measured(service: Service, run: Run) -> Table:
    """One run: what each stage has of its process's CPU time a request."""
    samplings = {name: Sampling(server) for name, server in _servers(service).items()}
    counts: dict[str, dict[str, int]] = {}

    def sampled(begin: Callable[[], None]) -> Load:
        def both() -> None:
            for sampling in samplings.values():
                sampling.begin()
            begin()

        load = run(both)
        counts.update({name: sampling.end() for name, sampling in samplings.items()})
        return load

    found = figures(service, sampled)
    table = {(name, ""): found[f"cpu {name}"] for name in WHOLE}
    for name in INSIDE:
        total = max(sum(counts[name].values()), 1)
        for stage, number in counts[name].items():
            table[name, stage] = found[f"cpu {name}"] * number / total
    return table


def medians(tables: list[Table]) -> Table:
    """Of each stage; one that was not sampled in a run took next to nothing there."""
    keys = {key for table in tables for key in table}
    return {key: median(table.get(key, 0.0) for table in tables) for key in keys}


def lines(tables: Mapping[str, Table]) -> Iterator[str]:
    """The table: a column for each load."""
    yield "microseconds of CPU a request".ljust(40) + "".join(name.rjust(10) for name in tables)
    for process in (*INSIDE, *WHOLE):
        yield _line(WHOLE.get(process, process), [_sum(table, process) for table in tables.values()])
        for stage in NAMES:
            values = [table.get((process, stage), 0.0) for table in tables.values()]
            if any(values):
                yield _line(f"    {stage}", values)
    yield _line("all", [sum(table.values()) for table in tables.values()])


def _sum(table: Table, process: str) -> float:
    return sum(value for (other, _), value in table.items() if other == process)


def _line(title: str, values: list[float]) -> str:
    return title.ljust(40) + "".join(f"{value:10.1f}" if value else " " * 10 for value in values)


def _servers(service: Service) -> dict[str, HttpServer]:
    return {"controller": service.controller, "front": service.runtimes[LANGUAGE]}


def save(path: Path, tables: Mapping[str, Table]) -> None:
    """Write the tables, with where they were measured."""
    loads = {
        name: [
            {"process": process, "stage": stage, "microseconds": round(value, 2)}
            for (process, stage), value in table.items()
        ]
        for name, table in tables.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": facts(), "loads": loads}, indent=1) + "\n")


def run(load: Wrk, scale: Scale, runs: int) -> dict[str, Table]:
    """The table of each load."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    found: dict[str, list[Table]] = {each.name: [] for each in LOADS}
    with Service(folder, [LANGUAGE], "", Path(), SAMPLED, SAMPLED) as service:
        bench = Bench(service, load, scale, announce)
        prepared = {each.name: each.prepare(bench) for each in LOADS}
        for number in range(1, runs + 1):
            for name, each in prepared.items():
                announce(f"run {number} of {runs}: {name}")
                found[name].append(measured(service, each))
    return {name: medians(tables) for name, tables in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.stages.run", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each load")
    parser.add_argument("--seconds", type=int, default=6, help="of one run")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the figures go")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        load = Wrk(wrk.program(ROOT / ".local" / wrk.FOLDER))
        tables = run(load, Scale(seconds=arguments.seconds), arguments.runs)
    except (PackagesError, PartError) as error:
        complain(error if isinstance(error, PartError) else PartError(str(error)))
        return 1
    except KeyboardInterrupt:
        return 130
    save(arguments.results, tables)
    print(*lines(tables), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
