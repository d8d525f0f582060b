"""The provider's HTTP server: gevent's, which hands bodies on while they arrive."""

import argparse
import shutil
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent
from gevent import socket
from gevent.event import Event
from gevent.pywsgi import WSGIHandler, WSGIServer

from local.supervisor.account import RUNNER, Account
from local.supervisor.managed_process import INTERPRETER
from local.supervisor.ports import LOOPBACK
from tools.faas_local.app import application
from tools.faas_local.environment import Environments
from tools.faas_local.functions import Functions
from tools.faas_local.instance import Machine
from tools.faas_local.proxy import PREFIX, Proxy
from tools.faas_local.secret_store import FOLDER, SecretStore

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: Connections that wait to be accepted.
BACKLOG = 1024


class _Handler(WSGIHandler):
    """Tells the application of the request as it came, too."""

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        return environ | {
            "server.target": self.path,
            "server.headers": self.headers.items(),
            "server.client": self.socket,
        }


def server(port: int, application: "WSGIApplication") -> WSGIServer:
    """Serves the application on loopback only: whoever can call it can run programs as us."""
    listener = socket.create_server((LOOPBACK, port), backlog=BACKLOG)
    # Inherited by each connection: parts of an answer are not held back until the client has acknowledged others.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return WSGIServer(listener, application, handler_class=_Handler, log=None)


class Dispatcher:
    """Calls of functions go to the proxy, everything else to the interface of faas-cli."""

    def __init__(self, prefix: str, proxy: "WSGIApplication", interface: "WSGIApplication") -> None:
        self._prefix = prefix
        self._proxy = proxy
        self._interface = interface

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        to_function = environ["PATH_INFO"].startswith(self._prefix)
        return (self._proxy if to_function else self._interface)(environ, start_response)


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
    return Machine(run, account, arguments.watchdog, dict(arguments.default), dict(arguments.override))


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
