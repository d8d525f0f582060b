"""A provider for faas-cli, with the databases of stack.yml's functions: `python -m tools.faas_local`, or `make faas`.

Starts PostgreSQL, Redis, the migrations and the provider, and makes the secrets that the functions ask for. Ends them
in the opposite order when it is told to (Ctrl-C) or when one of them dies. Data are those of `make run`, so the two
cannot run at once.
"""

import os
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from environs import Env, validate

from local.fetch import node
from local.fetch.command import UnavailableError
from local.fetch.openfaas_tools import Tools
from local.local_service import LocalService
from local.run import SCRIPT, announce, folders, local_service, supervised
from local.settings import PortsInUse, Settings
from local.state import ROOT, State
from local.supervisor.account import RUNNER, Account
from local.supervisor.managed_process import INTERPRETER
from local.supervisor.ports import LOOPBACK, is_free, is_well
from local.supervisor.python_server import Program
from local.supervisor.supervisor import Interruption, Supervisor
from tools.faas_local.replica import DRAIN_TIMEOUT
from tools.faas_local.secret_store import FOLDER, SecretStore

#: The provider's folder in the state.
PLACE = "faas"
NAME = "faas-provider"
#: Beside those of `make run`.
PORT = 31112


@dataclass(frozen=True)
class Choice:
    """What a user may choose.

    Args:
        builds: the folder of build folders.
        timeout: seconds that a function may take to answer.
    """

    port: int
    builds: Path
    timeout: float

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


class ProviderPart(Program):
    """The provider.

    Args:
        watchdog: the of-watchdog; None: functions are started without one.
        defaults: variables that functions find unless they are deployed with others.
    """

    start_timeout = 30.0
    stop_timeout = DRAIN_TIMEOUT + 30.0

    def __init__(self, state: State, choice: Choice, watchdog: Path | None, defaults: dict[str, str]) -> None:
        self._port = choice.port
        named = {"--state": folder(state), "--builds": choice.builds, "--port": choice.port}
        named |= {"--timeout": choice.timeout, **({"--watchdog": watchdog} if watchdog else {})}
        arguments = [str(word) for pair in named.items() for word in pair]
        # The functions would all listen there. Each answers /metrics for itself, and calls go through the gateway.
        arguments += ["--override", "METRICS_PORT=0", "--override", "RUNTIME_FRAMES="]
        arguments += [word for name, value in defaults.items() for word in ("--default", f"{name}={value}")]
        account = Account.own()
        super().__init__(
            NAME,
            ["-m", "gevent.monkey", "--module", "tools.faas_local.provider", *arguments],
            log=state.log(NAME),
            account=account,
            code=ROOT,
            private=state.private_folder(NAME, account),
            # It installs packages as the user would.
            variables=dict(os.environ),
            secrets={},
        )

    def answers(self) -> bool:
        return is_well(self._port, "/healthz")


def folder(state: State) -> Path:
    """Where the provider keeps what is its own."""
    made = state.folder / PLACE
    made.mkdir(mode=0o755, exist_ok=True)
    return made


def guide(choice: Choice, state: State, faas_cli: Path | None) -> str:
    """The lines for the user of a provider that runs at `choice.address`."""
    path = f" PATH={faas_cli.parent}:$PATH" if faas_cli else ""
    return "\n".join(
        [
            f"\nready at {choice.address}, on this machine only; logs in {state.log_folder}; Ctrl-C ends it",
            f"\nin another terminal, beside {choice.builds}:",
            f"export OPENFAAS_URL={choice.address} GATEWAY={choice.address}{path}",
            "faas-cli build --shrinkwrap -f stack.yml   # makes the build folders that are installed from",
            "faas-cli deploy -f stack.yml               # the first time a minute or two pass until all are ready",
            "faas-cli list; faas-cli describe execute; faas-cli logs execute; faas-cli secret list",
            f"echo '{SCRIPT}' | faas-cli invoke initialize --content-type application/json"
            ' -H Authorization="Bearer $(make -s token)" -H Language-Title=python-hello',
        ]
    )


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
