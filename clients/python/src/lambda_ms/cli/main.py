"""`lambda-ms`: the commands, and what is the same for all of them."""

from typing import Any

import typer
from typer.core import TyperGroup

from lambda_ms.cli import account, deployment, execution, history, versioning
from lambda_ms.cli.failures import EXPECTED, INTERRUPTED, report
from lambda_ms.cli.output import Output
from lambda_ms.version import __version__


class Commands(TyperGroup):
    """Commands that end with a sentence and a status, whatever happens."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except EXPECTED as error:
            raise typer.Exit(report(Output(), error)) from error
        except KeyboardInterrupt as error:
            Output().note("interrupted")
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    name="lambda-ms",
    cls=Commands,
    help="Write, deploy and run functions on a lambda-microservice.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (account, deployment, execution, versioning, history):
    module.register(app)


def _version(asked: bool) -> None:
    if asked:
        print(f"lambda-ms {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """The program."""
    app()
