"""A provider for faas-cli, with the databases of stack.yml's functions: `python -m tools.faas_local`, or `make faas`.

Starts PostgreSQL, Redis, the migrations and the provider, and makes the secrets that the functions ask for. Ends them
in the opposite order when it is told to (Ctrl-C) or when one of them dies. Data are those of `make run`, so the two
cannot run at once.
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from environs import Env, validate

from local.fetch import node
from local.fetch.command import UnavailableError
from local.fetch.openfaas_tools import Tools
from local.local_service import LocalService
from local.run import announce, folders, local_service, supervised
from local.settings import PortsInUse, Settings
from local.state import ROOT, State
from local.supervisor.account import RUNNER, Account
from local.supervisor.ports import is_free
from local.supervisor.python_server import INTERPRETER
from local.supervisor.supervisor import Interruption, Supervisor
from tools.faas_local.part import Choice, ProviderPart, folder, guide
from tools.faas_local.secret_store import FOLDER, SecretStore

#: Beside those of `make run`.
PORT = 31112


def start(service: LocalService, choice: Choice, tools: Tools) -> None:
    """Start the provider and what it needs. Raises PartError or Interrupted."""
    service.launch_stores()
    defaults = {"NODE": node.program(), "UV": str(INTERPRETER.with_name("uv"))}
    if service.rust_is_ready():
        defaults["RUST_TOOLCHAIN"] = str(service.parts.rust)
    service.migrate()
    make_secrets(service)
    provider = ProviderPart(service.parts.state, choice, watchdog(tools), defaults)
    service.supervisor.launch(provider)
    service.supervisor.await_answers(provider)


def make_secrets(service: LocalService) -> None:
    """Those that stack.yml names."""
    state = service.parts.state
    store = SecretStore(folder(state) / FOLDER)
    values = {
        "jwt-secret": state.secret("JWT_SECRET"),
        "runtime-secret": state.secret("RUNTIME_SECRET"),
        "packages-secret": state.secret("PACKAGES_SECRET"),
        "postgres-url": service.postgres.url,
        "redis-url": service.redis.url,
    }
    for name, value in values.items():
        store.put(name, value.encode())


def watchdog(tools: Tools) -> Path | None:
    """of-watchdog, built if need be; None when it cannot be had."""
    try:
        return tools.watchdog()
    except UnavailableError as reason:
        announce(f"functions run without of-watchdog, which cannot be had: {reason}")
        return None


def faas_cli(tools: Tools) -> Path | None:
    """faas-cli, built if need be; None when it cannot be had."""
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


def run(rust: Path | None, state: State, supervisor: Supervisor, interruption: Interruption) -> None:
    """Run the provider until it is told to end or a part dies."""
    state.lock()
    supervisor.end_leftovers()
    settings, choice = choose()
    settings.check_ports()
    state.rotate_logs()
    tools = Tools(Account.named(RUNNER).folder(ROOT / ".local") / "openfaas")
    tools.folder.mkdir(exist_ok=True)
    client = faas_cli(tools)
    start(local_service(state, settings, rust, supervisor), choice, tools)
    state.announce(f"the provider of make faas at {choice.address}")
    announce(guide(choice, state, client))
    supervisor.watch(interruption.wait)


def main() -> int:
    state, rust = folders("python -m tools.faas_local", __doc__)
    return supervised(state, partial(run, rust))


if __name__ == "__main__":
    sys.exit(main())
