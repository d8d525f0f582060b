"""The whole service on one machine, without Docker: `python -m local.run`, or `make run`.

Starts PostgreSQL, Redis, the migrations, a runtime for each language, the controller and what installs packages, and
ends them in the opposite order when it is told to (Ctrl-C) or when one of them dies and cannot be started again.
Status 0 after the former, 1 after the latter.
"""

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from environs import EnvError

from local.fetch import node
from local.fetch.command import UnavailableError
from local.local_service import LocalService
from local.services import RUNTIMES, Parts
from local.settings import PortsInUse, Settings
from local.state import ROOT, RUST, AlreadyRunning, State
from local.supervisor.managed_process import PartError
from local.supervisor.supervisor import Interrupted, Interruption, Supervisor

SCRIPT = r"""{"script_content": "def handle(params):\n    return {\"hello\": params[\"name\"]}\n"}"""


def console_token(secret: str) -> str:
    """A token for the user of the console, which makes keys too."""
    from local.token import SCOPE, token  # noqa: PLC0415 - with 4 MiB of cryptography, for one signature

    return token(secret, scope=f"{SCOPE} keys")


def apart(work: Callable[[], str]) -> str:
    """What the work returns. It is done in a fork, and what it imports is gone with that."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(writing, work().encode())
            status = 0
        except Exception:  # noqa: BLE001 - the fork must not return into what its parent does
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    if os.waitpid(child, 0)[1] != 0:
        raise ChildProcessError("what was to be done apart has failed")
    return said


def guide(address: str, state: State, languages: list[str]) -> str:
    """The lines for the user of a service that runs at `address`."""
    secret = state.secret("JWT_SECRET")
    bearer = apart(lambda: console_token(secret))
    json = "-H 'Content-Type: application/json'"
    request_id = r"""sed 's/.*"request_id": *"\([^"]*\)".*/\1/'"""
    lines = [
        f"AUTH='Authorization: Bearer {bearer}'; ID=$(curl -s {address}/api/v1/initialize -H \"$AUTH\" {json} "
        f"-H 'Language-Title: python-hello' -d '{SCRIPT}' | {request_id}); echo $ID",
        f'curl -s {address}/api/v1/execute/$ID -H "$AUTH" {json} -d \'{{"params": {{"name": "world"}}}}\'',
        f'curl -s {address}/api/v1/sessions/$ID -H "$AUTH"',
    ]
    return "\n".join(
        [
            f"\nready at {address} with {', '.join(languages)}; logs in {state.log_folder}; Ctrl-C ends it",
            f"\nopen the console, signed in for a day:\n{address}/console#token={bearer}",
            f"\ntoken (a day; more by `make token`):\n{bearer}",
            "\ntry it:",
            *lines,
        ]
    )


#: The file in the state that names the running parts.
RECORD = "parts.json"

#: Work with parts. It may raise what `supervised` knows.
Work = Callable[[State, Supervisor, Interruption], None]


def announce(line: str) -> None:
    """Say one line. A terminal that has been closed is no reason to stop half way."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


def complain(error: PartError) -> None:
    """Say what went wrong, with the last lines of the part's log."""
    announce("\n".join([str(error), *(f"  {line}" for line in error.log_lines)]))


def supervised(folder: Path, work: Work, *, record: str = RECORD, interrupted: int = 0) -> int:
    """Do work with parts, end them after it, and say what went wrong.

    Args:
        folder: the state's.
        work: what to do. Signals that end the program are heard while it waits.
        record: the file in the state that names the running parts.
        interrupted: the exit status after such a signal.

    Returns:
        The exit status.
    """
    with Interruption() as interruption:
        try:
            state = State(folder)
            supervisor = Supervisor(state.run_folder / record, announce, interruption.pause)
            try:
                work(state, supervisor, interruption)
            except PartError as error:
                complain(error)  # before the other parts are ended, which may take a while
                return 1
            finally:
                supervisor.stop()
        except Interrupted:
            return interrupted
        except (AlreadyRunning, EnvError, PortsInUse, UnavailableError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def folders(prog: str, description: str | None) -> tuple[Path, Path | None]:
    """Read the command line: the folder of the state, and that of the Rust toolchain if it is given."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument(
        "--state", type=Path, default=ROOT / ".local", help="folder of data, logs and secrets"
    )
    parser.add_argument("--rust", type=Path, help="folder of the Rust toolchain")
    arguments = parser.parse_args()
    return arguments.state, arguments.rust


def local_service(
    state: State, settings: Settings, rust: Path | None, supervisor: Supervisor
) -> LocalService:
    """The service on the user's own data; its code lies where each account can read it."""
    toolchain = (rust or state.folder / RUST).absolute()
    return LocalService(Parts(state, settings, state.code(), toolchain), supervisor)


def chosen() -> Settings:
    """What the environment says, and the file of defaults."""
    return Settings.from_environment(ROOT / ".env")


def run(
    rust: Path | None,
    settings_of: Callable[[], Settings],
    state: State,
    supervisor: Supervisor,
    interruption: Interruption,
) -> None:
    """Run the service until it is told to end or a part dies for good."""
    settings = settings_of()
    state.lock()
    supervisor.end_leftovers()
    settings.check_ports()
    state.rotate_logs()
    announce("starting")
    service = local_service(state, settings, rust, supervisor)
    service.launch_stores()
    program = node.program()
    service.begin([language for language in RUNTIMES if language != "rust"], program)
    languages = [language for language in RUNTIMES if language != "rust" or service.rust_is_ready()]
    service.serve(languages, program, packages=True)
    state.announce(f"{settings.address} (process {os.getpid()})")
    announce(guide(settings.address, state, languages))
    supervisor.watch(interruption.wait)


def main() -> int:
    folder, rust = folders("python -m local.run", __doc__)
    return supervised(folder, partial(run, rust, chosen))


if __name__ == "__main__":
    sys.exit(main())
