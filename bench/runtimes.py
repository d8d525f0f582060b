"""What a script costs at a runtime's HTTP port: `make bench-runtimes`.

Each runtime is started as `make run` starts it, and called over one connection, one call at a time: these are
latencies on an otherwise idle machine, not throughput. Medians; the table is printed, all figures go to a file.
"""

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from bench.processes import MIB, fork_server, pss
from bench.runtime_client import RuntimeClient
from bench.scripts import TRIVIAL, new_scripts
from local.fetch import node
from local.services import RUNTIMES, Parts
from local.settings import PORTS, Settings
from local.state import State
from local.supervisor.account import RUNNER, Account
from local.supervisor.ports import free_port
from local.supervisor.proc import children, wait_until
from local.supervisor.python_server import HttpServer

ROOT = Path(__file__).parents[1]
_WARM_CALLS = 500


class Runtime:
    """A runtime that is measured, with what its processes tell."""

    def __init__(self, language: str, server: HttpServer, secret: str) -> None:
        self.language = language
        self.client = RuntimeClient(language, server.port, secret)
        self._fork_server = fork_server(server.pid)
        self.rest()

    def workers(self) -> list[int]:
        return children(self._fork_server)

    def rest(self) -> None:
        """Wait until no process comes or goes: the reserve has been filled up again."""
        seen: list[set[int]] = []

        def settled() -> bool:
            seen.append(set(self.workers()))
            return len(seen) > 10 and all(workers == seen[-1] for workers in seen[-10:])

        if not wait_until(settled, 30):
            raise TimeoutError(f"the workers of {self.language} do not settle")

    def memory_of_idle(self) -> float:
        """Proportional share of memory of the median worker that waits for a call, in MiB."""
        self.rest()
        return statistics.median(pss(pid) for pid in self.workers()) / MIB


def measure(runtime: Runtime, other: Runtime | None, times: int) -> dict[str, list[float]]:
    """All figures of one language, in milliseconds, memory in MiB; `other` has nothing on its disk."""
    client, language = runtime.client, runtime.language
    scripts = new_scripts(language)
    figures = {"memory of a blank worker": [runtime.memory_of_idle()]}
    if language == "rust":
        figures["new script compiled"] = [
            client.prepare(script, client.new_tenant()).took for script in islice(scripts, times)
        ]
    prepared = client.prepare(TRIVIAL[language], "warm").document

    def first(**more: object) -> float:
        """The first result of a script: one that nobody has seen, or, compiled, by its known artifact."""
        runtime.rest()
        if language == "rust":
            return client.run(TRIVIAL[language], client.new_tenant(), **more).took
        script = next(scripts)
        return client.run(script, client.new_tenant(), script_content=script, **more).took

    figures["first result, session"] = [first() for _ in range(times)]
    figures["first result, execution"] = [first(isolation="execution") for _ in range(times)]
    client.run(TRIVIAL[language], "warm")
    figures["warm call, session"] = [client.run(TRIVIAL[language], "warm").took for _ in range(_WARM_CALLS)]

    def alone() -> float:
        runtime.rest()
        return client.run(TRIVIAL[language], "warm", isolation="execution").took

    figures["later call, execution"] = [alone() for _ in range(times)]
    figures["memory of an idle worker"] = [runtime.memory_of_idle()]
    if other is not None:
        script = {"artifact": prepared["artifact"]}
        other.rest()
        figures["same script, another runtime"] = [
            other.client.run(TRIVIAL[language], other.client.new_tenant(), **script).took
        ]
    return figures


@contextmanager
def serving(folder: Path) -> Iterator[Callable[[str], Runtime]]:
    """Starts runtimes, each with a state of its own, and ends them all."""
    states: list[State] = []
    started: list[HttpServer] = []
    rust = Account.named(RUNNER).folder(ROOT / ".local") / "rust-toolchain"

    def start(language: str) -> Runtime:
        state = State(folder / str(len(states)))
        if states:
            # An artifact is signed with the secret: all runtimes of a deployment have the same.
            shutil.copy(states[0].folder / "secrets" / "RUNTIME_SECRET", state.folder / "secrets")
        secret = state.secret("RUNTIME_SECRET")
        states.append(state)
        # So many that no call has to end another worker first.
        settings = Settings(
            {name: free_port() for name in PORTS}, controller={}, runtime={"WORKERS_MAX": "200"}
        )
        server = Parts(state, settings, state.code(), rust).runtime(language, node.program(print))
        started.append(server)
        server.start()
        return Runtime(language, server, secret)

    try:
        yield start
    finally:
        for server in started:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=25, help="measurements behind each median")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results" / "runtimes.json")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    results: dict[str, dict[str, list[float]]] = {}
    try:
        with serving(folder) as start:
            for language in RUNTIMES:
                other = start(language) if language == "rust" else None
                results[language] = measure(start(language), other, arguments.times)
                _print(language, results[language])
    finally:
        shutil.rmtree(folder)
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text(json.dumps(results, indent=1) + "\n")


def _print(language: str, figures: dict[str, list[float]]) -> None:
    for name, values in figures.items():
        unit = "MiB" if "memory" in name else "ms"
        values.sort()
        print(f"{language:8}{name:32}{statistics.median(values):9.3f} {unit}  ({len(values)} values)")


if __name__ == "__main__":
    main()
