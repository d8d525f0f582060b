"""All tests: `python -m tools.checks.suite [--jobs N] [GROUP...]`, or `make suite`.

A group of tests is one process of pytest, so its tests share their servers and nothing is collected twice. Groups
run side by side, and are heard when they end: a line for one that passed, all of its output for one that failed.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from local.state import ROOT

#: Those that take longest come first: at the end of a run they would keep one CPU busy alone.
GROUPS: Mapping[str, Sequence[str]] = {
    "controller": ["tests/integration/controller"],
    "machine": [f"tests/integration/{name}" for name in ("local", "tools", "bench", "deploy", "clients")],
    "runtime": ["tests/integration/runtime"],
    "openfaas": ["tests/integration/openfaas"],
    "faults": [f"tests/acceptance/test_{name}.py" for name in ("faults", "functions", "keys", "load")],
    "acceptance": ["tests/acceptance"],
    "unit": ["tests/unit", "tests/contract"],
    "hostile": ["tests/acceptance/hostile"],
    "packages": ["tests/acceptance/test_packages.py"],
    "observability": ["tests/integration/observability"],
}
#: They have commands of their own: `make api-server`, `make soak`, `make bench-tests`.
APART = (
    "tests/integration/tools/api_server",
    "tests/integration/tools/faas_local/test_stack.py",
    "tests/integration/bench/test_commands.py",
)
#: Groups that run side by side. Their tests wait for others more than they work.
JOBS = 5
#: Names a folder for what the processes of one run share.
RUN_FOLDER = "TESTS_RUN_FOLDER"
#: Seconds between two looks at the processes.
_PAUSE = 0.2


@dataclass(frozen=True)
class Running:
    """A group at work; its output goes into a file."""

    name: str
    process: "subprocess.Popen[bytes]"
    output: IO[bytes]

    def report(self) -> str:
        """Return what is told of it at its end."""
        self.output.seek(0)
        said = self.output.read().decode(errors="replace").rstrip()
        return f"{self.name}: {said.rpartition(chr(10))[2]}" if self.process.returncode == 0 else said


def command(group: str) -> list[str]:
    """Return what runs the tests of a group."""
    if group == "hostile":
        return [sys.executable, "-m", "tools.checks.hostile"]
    inside = tuple(f"{folder}/" for folder in GROUPS[group])
    others = [path for name, paths in GROUPS.items() if name != group for path in paths]
    left_out = [path for path in (*APART, *others) if path.startswith(inside)]
    ignored = [f"--ignore={path}" for path in left_out]
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *ignored, *GROUPS[group]]


def run(commands: Mapping[str, Sequence[str]], jobs: int) -> bool:
    """Run the commands of groups, at most `jobs` side by side. Return whether all passed."""
    waiting, running, passed = list(commands), dict[str, Running](), True
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, RUN_FOLDER: folder}
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    name = waiting.pop(0)
                    output = (Path(folder) / f"{name}.output").open("w+b")
                    running[name] = _started(name, commands[name], output, environment)
                for ended in [each for each in running.values() if each.process.poll() is not None]:
                    del running[ended.name]
                    passed &= ended.process.returncode == 0
                    print(ended.report(), flush=True)
                time.sleep(_PAUSE)
        finally:
            for each in running.values():
                each.process.terminate()
            for each in running.values():
                each.process.wait()
    return passed


def _started(name: str, command: Sequence[str], output: IO[bytes], environment: Mapping[str, str]) -> Running:
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    return Running(name, process, output)


def _end(*_: object) -> NoReturn:
    """End as Ctrl-C does, so that no group goes on alone."""
    raise KeyboardInterrupt


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.checks.suite", description=__doc__)
    parser.add_argument("--jobs", type=int, default=JOBS, help="groups that run side by side")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all by default")
    chosen = parser.parse_args()
    if unknown := set(chosen.groups) - GROUPS.keys():
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, _end)
    return 0 if run({name: command(name) for name in chosen.groups or GROUPS}, chosen.jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
