"""A provider for faas-cli, with the databases of stack.yml's functions: `python -m tools.faas_local`, or `make faas`.

Starts PostgreSQL, Redis, the migrations and the provider, and makes the secrets that the functions ask for. Ends them
in the opposite order when it is told to (Ctrl-C) or when one of them dies. Data are those of `make run`, so the two
cannot run at once.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from environs import Env, EnvError, validate

from local.fetch import node
from local.fetch.command import UnavailableError
from local.fetch.openfaas_tools import Tools
from local.run import LocalService, announce, complain
from local.services import Parts
from local.settings import PortsInUse, Settings
from local.state import ROOT, RUST, AlreadyRunning, State
from local.stores.postgres import PostgresServer
from local.stores.redis import RedisServer
from local.supervisor.account import RUNNER, Account
from local.supervisor.managed_process import PartError
from local.supervisor.ports import is_free
from local.supervisor.signals import Interrupted, Interruption
from local.supervisor.supervisor import Supervisor
from tools.faas_local.guide import guide
from tools.faas_local.part import Choice, ProviderPart, folder
from tools.faas_local.secret_store import FOLDER, SecretStore

#: Beside those of `make run`.
PORT = 31112


class LocalProvider:
    """The provider and what it needs, in the order of their start."""

    def __init__(self, supervisor: Supervisor, parts: Parts, choice: Choice, tools: Tools) -> None:
        self._supervisor = supervisor
        self._parts = parts
        self._choice = choice
        self._tools = tools

    def start(self) -> None:
        """Raises PartError or Interrupted."""
        supervisor, parts = self._supervisor, self._parts
        postgres, redis = parts.postgres(), parts.redis()
        supervisor.launch(postgres)
        supervisor.launch(redis)
        defaults = {"NODE": node.program(announce)}
        if LocalService(supervisor, parts).rust_is_ready():
            defaults["RUST_TOOLCHAIN"] = str(parts.rust)
        supervisor.await_answers(postgres, redis)
        supervisor.run(parts.migration(postgres))
        self._make_secrets(postgres, redis)
        provider = ProviderPart(parts.state, self._choice, self._watchdog(), defaults)
        supervisor.launch(provider)
        supervisor.await_answers(provider)

    def _make_secrets(self, postgres: PostgresServer, redis: RedisServer) -> None:
        """Those that stack.yml names."""
        state = self._parts.state
        store = SecretStore(folder(state) / FOLDER)
        values = {
            "jwt-secret": state.secret("JWT_SECRET"),
            "runtime-secret": state.secret("RUNTIME_SECRET"),
            "postgres-url": postgres.url,
            "redis-url": redis.url,
        }
        for name, value in values.items():
            store.put(name, value.encode())

    def _watchdog(self) -> Path | None:
        try:
            return self._tools.watchdog()
        except UnavailableError as reason:
            announce(f"functions run without of-watchdog, which cannot be had: {reason}")
            return None


def faas_cli(tools: Tools) -> Path | None:
    """faas-cli, built if need be; nothing when it cannot be had."""
    announce("building faas-cli and of-watchdog, unless they are there")
    try:
        return tools.faas_cli()
    except UnavailableError as reason:
        announce(f"faas-cli cannot be had here, bring your own: {reason}")
        return None


def choose() -> tuple[Settings, Choice]:
    """From the environment and `.env`. Raises EnvError or PortsInUse."""
    settings = Settings.from_environment(ROOT / ".env")
    stores = {name: settings.ports[name] for name in ("POSTGRES_PORT", "REDIS_PORT")}
    env = Env()
    choice = Choice(
        env.int("FAAS_PORT", PORT, validate=validate.Range(min=1, max=65535)),
        env.path("FAAS_BUILDS", ROOT / "build").absolute(),
        env.float("FAAS_TIMEOUT", 60.0, validate=validate.Range(min=0.1)),
    )
    if not is_free(choice.port):
        raise PortsInUse(f"port {choice.port} is in use; choose another: make faas FAAS_PORT=...")
    return replace(settings, ports=stores), choice


def run(state: State, arguments: argparse.Namespace, interruption: Interruption) -> None:
    """Run until told to end. Raises EnvError, PartError, PortsInUse or Interrupted."""
    supervisor = Supervisor(interruption, state.run_folder / "parts.json", announce)
    try:
        supervisor.end_leftovers()
        settings, choice = choose()
        settings.check_ports()
        state.rotate_logs()
        tools = Tools(Account.named(RUNNER).folder(ROOT / ".local") / "openfaas")
        tools.folder.mkdir(exist_ok=True)
        client = faas_cli(tools)
        rust = (arguments.rust or state.folder / RUST).absolute()
        LocalProvider(supervisor, Parts(state, settings, state.code(), rust), choice, tools).start()
        state.announce(f"the provider of make faas at {choice.address}")
        announce(guide(choice, state, client))
        supervisor.watch()
    except PartError as error:
        complain(error)
        raise
    finally:
        supervisor.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.faas_local", description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / ".local", help="folder of data and secrets")
    parser.add_argument("--rust", type=Path, help="folder of the Rust toolchain")
    arguments = parser.parse_args()
    with Interruption() as interruption:
        try:
            state = State(arguments.state)
            state.lock()
            run(state, arguments, interruption)
        except Interrupted:
            return 0
        except (AlreadyRunning, PortsInUse, EnvError) as error:
            print(error, file=sys.stderr)
        except PartError:
            pass  # said where it happened, before everything else was ended
    return 1


if __name__ == "__main__":
    sys.exit(main())
