"""A program that runs once on the local data. Its servers are started for it, unless the service is running."""

import sys
from collections.abc import Callable

from environs import EnvError

from local.run import announce, complain
from local.services import Parts
from local.settings import Settings
from local.state import ROOT, RUST, AlreadyRunning, State
from local.stores.postgres import PostgresServer
from local.stores.redis import RedisServer
from local.supervisor.managed_process import PartError
from local.supervisor.python_server import Program
from local.supervisor.signals import Interrupted, Interruption
from local.supervisor.supervisor import Supervisor

Maker = Callable[[Parts, PostgresServer, RedisServer], Program]


def errand(make: Maker) -> int:
    """Run what `make` makes, and print what it says; answers the exit code."""
    with Interruption() as interruption:
        try:
            state = State(ROOT / ".local")
            supervisor = Supervisor(interruption, state.run_folder / "parts.json", announce)
            try:
                print(*_run(state, Settings.from_environment(ROOT / ".env"), supervisor, make), sep="\n")
            finally:
                supervisor.stop()
        except Interrupted:
            return 130
        except EnvError as error:
            print(error, file=sys.stderr)
            return 1
        except PartError as error:
            complain(error)
            return 1
    return 0


def _run(state: State, settings: Settings, supervisor: Supervisor, make: Maker) -> list[str]:
    """Raises PartError or Interrupted."""
    parts = Parts(state, settings, ROOT, state.folder / RUST)
    postgres, redis = parts.postgres(), parts.redis()
    try:
        state.lock()
    except AlreadyRunning:
        pass
    else:
        supervisor.end_leftovers()
        supervisor.launch(postgres, redis)
        supervisor.await_answers(postgres, redis)
    program = make(parts, postgres, redis)
    supervisor.run(program)
    return program.log_lines() or ["nothing had to be done"]
