"""One program on the local data: `python -m local.one_shot migrate`, or `forget SUB`.

`migrate` brings the database to the newest schema, as `make migrate` does. `forget` removes all data of one user, as
`make forget SUB=alice` does. PostgreSQL and Redis are started for it, unless the service is running.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from local.local_service import LocalService
from local.run import announce, supervised
from local.services import Parts
from local.settings import Settings
from local.state import ROOT, AlreadyRunning, State
from local.supervisor.supervisor import Interruption, Supervisor

#: The exit status after Ctrl-C, as a shell gives it.
INTERRUPTED = 130


def run(subject: str | None, state: State, supervisor: Supervisor, _: Interruption) -> None:
    """Forget the subject, or migrate where there is none, and print what the program says."""
    parts = Parts(state, Settings.from_environment(ROOT / ".env"), ROOT, rust=None)
    service = LocalService(parts, supervisor)
    try:
        state.lock()
    except AlreadyRunning:
        pass
    else:
        supervisor.end_leftovers()
        service.launch_stores()
        service.await_stores()
    postgres, redis = service.postgres, service.redis
    program = parts.migration(postgres) if subject is None else parts.forgetting(subject, postgres, redis)
    supervisor.run(program)
    announce("\n".join(program.log_lines() or ["nothing had to be done"]))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.one_shot", description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / ".local", help="folder of the data")
    programs = parser.add_subparsers(required=True)
    programs.add_parser("migrate", help="bring the database to the newest schema").set_defaults(subject=None)
    forget = programs.add_parser("forget", help="remove all data of one user")
    forget.add_argument("subject", metavar="SUB", help="the user: sub of their tokens")
    arguments = parser.parse_args()
    return supervised(arguments.state, partial(run, arguments.subject), interrupted=INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
