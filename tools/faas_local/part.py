"""The provider's process as a part of what `make faas` starts."""

import os
from dataclasses import dataclass
from pathlib import Path

from local.run import SCRIPT
from local.state import ROOT, State
from local.supervisor.account import Account
from local.supervisor.ports import LOOPBACK, is_well
from local.supervisor.python_server import Program
from tools.faas_local.replica import DRAIN_TIMEOUT

#: The provider's folder in the state.
FOLDER = "faas"
NAME = "faas-provider"


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
    made = state.folder / FOLDER
    made.mkdir(mode=0o755, exist_ok=True)
    return made


def guide(choice: Choice, state: State, faas_cli: Path | None) -> str:
    """The lines for a user whose provider runs at `choice.address`."""
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
