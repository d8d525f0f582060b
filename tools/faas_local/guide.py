"""What `make faas` says in the end: the commands to go on with."""

from pathlib import Path

from local.banner import SCRIPT
from local.state import State
from tools.faas_local.part import Choice


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
