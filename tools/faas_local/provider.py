"""The provider's process, which `python -m tools.faas_local` starts.

By hand: `python -m gevent.monkey --module tools.faas_local.provider --help`.

Its end, step by step:

1. SIGTERM. No new connections.
2. What runs is answered, then the functions' processes are told to end, and killed if they do not.
3. Who still reads a log is let go. What is deployed is kept for the next start.
"""

import argparse
import shutil
import signal
from pathlib import Path

import gevent
from gevent.event import Event

from local.supervisor.account import RUNNER, Account
from local.supervisor.python_server import INTERPRETER
from tools.faas_local.app import application
from tools.faas_local.environment import Environments
from tools.faas_local.functions import Functions
from tools.faas_local.machine import Machine
from tools.faas_local.ports import Ports
from tools.faas_local.proxy import PREFIX, Proxy
from tools.faas_local.secret_store import FOLDER, SecretStore
from tools.faas_local.server import Dispatcher, server

#: Folders in the state.
ENVIRONMENTS, RUN = "environments", "run"
#: Seconds for the last bytes to those who are let go.
LAST_BYTES_TIMEOUT = 1.0


def main() -> None:
    arguments = _arguments()
    store = SecretStore(arguments.state / FOLDER)
    environments = Environments(arguments.state / ENVIRONMENTS)
    environments.prune()
    functions = Functions(arguments.state, arguments.builds, _machine(arguments), environments, store)
    watchdog = str(arguments.watchdog or "none: the process answers by itself")
    interface = application(functions, store, watchdog)
    dispatcher = Dispatcher(PREFIX, Proxy(functions, arguments.timeout), interface)
    _serve(arguments.port, dispatcher, functions)


def _serve(port: int, dispatcher: Dispatcher, functions: Functions) -> None:
    """Serve until told to end."""
    told = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, told.set)
    front = server(port, dispatcher)
    functions.restore()
    front.start()
    told.wait()
    front.close()
    functions.stop()
    front.stop(LAST_BYTES_TIMEOUT)


def _machine(arguments: argparse.Namespace) -> Machine:
    account = Account.named(RUNNER)
    if not account.reads(INTERPRETER.resolve()):
        account = Account.own()
    run: Path = arguments.state / RUN
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    return Machine(
        run, account, Ports(), arguments.watchdog, dict(arguments.default), dict(arguments.override)
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="folder of all that is kept")
    parser.add_argument("--builds", type=Path, required=True, help="folder of build folders")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds a function may take to answer")
    parser.add_argument("--watchdog", type=Path, help="of-watchdog; functions start without one if not given")
    parser.add_argument("--default", type=_pair, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--override", type=_pair, action="append", default=[], metavar="NAME=VALUE")
    return parser.parse_args()


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


if __name__ == "__main__":
    main()
