"""Bring the local database to the newest schema: `python -m local.migrate`, or `make migrate`.

PostgreSQL is started for it, unless the service is running.
"""

import sys

from environs import EnvError

from local.interruption import Interrupted, Interruption
from local.part import PartError
from local.parts import Parts
from local.run import announce, complain
from local.settings import Settings
from local.state import ROOT, RUST, AlreadyRunning, State
from local.supervisor import Supervisor


def migrate(state: State, settings: Settings, supervisor: Supervisor) -> list[str]:
    """Migrate and return what the migration says. Raises PartError or Interrupted."""
    parts = Parts(state, settings, ROOT, state.folder / RUST)
    postgres = parts.postgres()
    try:
        state.lock()
    except AlreadyRunning:
        pass
    else:
        supervisor.end_leftovers()
        supervisor.launch(postgres)
        supervisor.await_answers(postgres)
    migration = parts.migration(postgres)
    supervisor.run(migration)
    return migration.log_lines() or ["the schema is the newest"]


def main() -> int:
    with Interruption() as interruption:
        try:
            state = State(ROOT / ".local")
            supervisor = Supervisor(interruption, state.run_folder / "parts.json", announce)
            try:
                print(*migrate(state, Settings.from_environment(ROOT / ".env"), supervisor), sep="\n")
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


if __name__ == "__main__":
    sys.exit(main())
