"""Measures what each stage of a request costs, and prints the table: `python -m bench.stages.run`.

The CPU time of a process is measured as in `make bench`; the shares of its stages are sampled. `other` is time that
matches no stage.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from operator import mul
from pathlib import Path
from statistics import median

from bench.command import FOLDER, announce, save, status_of, wrk_program
from bench.measurement import Figures, rounds
from bench.scenarios.requests import Execute
from bench.scenarios.scenario import TRIVIAL, Begin, Bench, Run, Scale
from bench.service import Service
from bench.stages.stage import MARK, NAMES
from bench.wrk import Load
from local.supervisor.managed_process import PartError
from local.supervisor.proc import wait_until
from local.supervisor.python_server import HttpServer

LANGUAGE = "python"
SAMPLED = {"GUNICORN_CMD_ARGS": "--worker-class bench.stages.sampled_worker.SampledWorker"}
LOADS = (
    Execute("cached", "execute, cached", LANGUAGE, TRIVIAL[LANGUAGE], yardsticks=()),
    Execute("warm", "execute, warm, Python", LANGUAGE, TRIVIAL[LANGUAGE], 1.0, yardsticks=()),
)
PROCESSES = {
    "controller": "controller",
    "front": "front of the runtime",
    "workers": "worker process",
    "redis": "Redis",
    "postgres": "PostgreSQL",
}


class Sampling:
    """The counts of one server's worker."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._worker = server.pid

    def begin(self) -> None:
        os.kill(self._worker, signal.SIGUSR2)

    def end(self) -> dict[str, int]:
        """The samples of each stage since `begin`. Raises PartError where they do not come."""
        written = len(self._lines())
        os.kill(self._worker, signal.SIGUSR2)
        if not wait_until(lambda: len(self._lines()) > written, timeout=10):
            raise PartError(f"{self._server.name} does not tell its stages", self._server.log_lines())
        counts: dict[str, int] = json.loads(self._lines()[-1].removeprefix(MARK))
        return counts

    def _lines(self) -> list[str]:
        lines = self._server.log.read_text(errors="replace").splitlines()
        return [line for line in lines if line.startswith(MARK)]


def sampled(service: Service, run: Run) -> Run:
    """The run with one figure more for each stage: its share of its process's CPU time."""
    servers = {"controller": service.controller, "front": service.runtimes[LANGUAGE]}
    samplings = {process: Sampling(server) for process, server in servers.items()}

    def both(begin: Begin) -> Load:
        def begin_all() -> None:
            for sampling in samplings.values():
                sampling.begin()
            begin()

        load = run(begin_all)
        shares: dict[str, float] = {}
        for process, sampling in samplings.items():
            counts = sampling.end()
            total = max(sum(counts.values()), 1)
            shares |= {f"{process}: {name}": counts.get(name, 0) / total for name in NAMES}
        return replace(load, more=load.more | shares)

    return both


def table(results: Mapping[str, Figures]) -> dict[str, list[float]]:
    """Microseconds of CPU a request: a line for each process, each of its stages and all, a column for each load."""
    found: dict[str, list[float]] = {}
    for process, title in PROCESSES.items():
        cpu = [figures[f"cpu {process}"] for figures in results.values()]
        found[title] = list(map(median, cpu))
        for share in (f"{process}: {name}" for name in NAMES):
            shares = [figures.get(share, [0.0]) for figures in results.values()]
            found[f"    {share}"] = [median(map(mul, *pair)) for pair in zip(cpu, shares, strict=True)]
    totals = zip(*(found[title] for title in PROCESSES.values()), strict=True)
    return {title: values for title, values in found.items() if any(values)} | {"all": list(map(sum, totals))}


def run(arguments: argparse.Namespace) -> int:
    """Measure the loads in turn. Raises PackagesError or PartError."""
    folder, scale = Path(tempfile.mkdtemp(prefix="bench-")), Scale(seconds=arguments.seconds)
    with Service(folder, [LANGUAGE], "", Path(), SAMPLED, SAMPLED) as service:
        bench = Bench(service, wrk_program(), scale, announce)
        prepared = {each.name: sampled(service, each.prepare(bench)) for each in LOADS}
        found = table(rounds(bench, prepared, arguments.runs, {}))
    save(arguments.results, found)
    print(f"{'microseconds of CPU a request':44}", *(f"{each.name:>9}" for each in LOADS))
    for title, values in found.items():
        print(f"{title:44}", *(f"{value:9.1f}" for value in values))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.stages.run", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each load")
    parser.add_argument("--seconds", type=int, default=6, help="of one run")
    parser.add_argument("--results", type=Path, default=FOLDER / "stages.json", help="where the figures go")
    arguments = parser.parse_args()
    return status_of(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
