"""The whole service on one machine, without Docker: `python -m local.run`, or `make run`.

Starts PostgreSQL, Redis, the migrations, a runtime for each language and the controller, and ends them in the
opposite order when it is told to (Ctrl-C) or when one of them dies. Status 0 after the former, 1 after the latter.
"""

import argparse
import contextlib
import os
import sys
from pathlib import Path

from environs import EnvError

from local.banner import guide
from local.fetch import node
from local.services import RUNTIMES, Parts
from local.settings import PortsInUse, Settings
from local.state import ROOT, RUST, AlreadyRunning, State
from local.supervisor.managed_process import PartError
from local.supervisor.signals import Interrupted, Interruption
from local.supervisor.supervisor import Supervisor


class LocalService:
    """The service's parts in the order of their start."""

    def __init__(self, supervisor: Supervisor, parts: Parts) -> None:
        self._supervisor = supervisor
        self._parts = parts

    def start(self) -> list[str]:
        """Start everything and return the languages that are served. Raises PartError or Interrupted."""
        supervisor = self._supervisor
        postgres, redis = self._parts.postgres(), self._parts.redis()
        supervisor.launch(postgres)
        supervisor.launch(redis)
        program = node.program(announce)
        languages = [language for language in RUNTIMES if language != "rust" or self.rust_is_ready()]
        runtimes = [self._parts.runtime(language, program) for language in languages]
        supervisor.launch(*runtimes)
        supervisor.await_answers(postgres, redis)
        supervisor.run(self._parts.migration(postgres))
        controller = self._parts.controller(postgres, redis, languages)
        supervisor.launch(controller)
        supervisor.await_answers(*runtimes, controller)
        return languages

    def rust_is_ready(self) -> bool:
        """Whether Rust can be served; what that takes is prepared. Says why it cannot. Raises Interrupted."""
        if self._parts.rust is None or not (self._parts.rust / "toolchain.json").exists():
            announce("preparing a Rust compiler; the first time this takes a minute")
        try:
            for step in self._parts.rust_toolchain():
                self._supervisor.run(step)
        except PartError as error:
            reason = error.log_lines[-1] if error.log_lines else str(error)
            announce(f"starting without Rust: {reason.removeprefix('rust: ')}")
            return False
        return True


def announce(line: str) -> None:
    """Say one line. A terminal that has been closed is no reason to stop half way."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


def complain(error: PartError) -> None:
    """Say what went wrong, with the part's last words."""
    announce("\n".join([str(error), *(f"  {line}" for line in error.log_lines)]))


def run(state: State, settings: Settings, rust: Path, interruption: Interruption) -> None:
    """Run the service until it is told to end. Raises PartError, PortsInUse or Interrupted."""
    supervisor = Supervisor(interruption, state.run_folder / "parts.json", announce)
    try:
        supervisor.end_leftovers()
        settings.check_ports()
        state.rotate_logs()
        announce("starting")
        languages = LocalService(supervisor, Parts(state, settings, state.code(), rust)).start()
        state.announce(f"{settings.address} (process {os.getpid()})")
        announce(guide(settings.address, state, languages))
        supervisor.watch()
    except PartError as error:
        complain(error)
        raise
    finally:
        supervisor.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.run", description=__doc__)
    parser.add_argument(
        "--state", type=Path, default=ROOT / ".local", help="folder of data, logs and secrets"
    )
    parser.add_argument("--rust", type=Path, help="folder of the Rust toolchain")
    arguments = parser.parse_args()
    with Interruption() as interruption:
        try:
            settings = Settings.from_environment(ROOT / ".env")
            state = State(arguments.state)
            state.lock()
            run(state, settings, (arguments.rust or state.folder / RUST).absolute(), interruption)
        except Interrupted:
            return 0
        except (AlreadyRunning, PortsInUse, EnvError) as error:
            print(error, file=sys.stderr)
        except PartError:
            pass  # said where it happened, before everything else was ended
    return 1


if __name__ == "__main__":
    sys.exit(main())
