"""`login`, `open` and `doctor`."""

import stat
import sys
import time
import webbrowser
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Annotated

import typer

from lambda_ms import calls
from lambda_ms.cli import configuration
from lambda_ms.cli.configuration import Configuration, NotConfigured
from lambda_ms.cli.connection import compare_versions, connected
from lambda_ms.cli.failures import DENIED, UNAVAILABLE, USAGE
from lambda_ms.cli.output import Output
from lambda_ms.client import Client, read
from lambda_ms.errors import Forbidden, LambdaError, Unauthorized
from lambda_ms.retries import Retries
from lambda_ms.version import __version__

#: Seconds by which clocks may differ before tokens are refused.
_LEEWAY = 60


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(login)
    app.command("open")(open_console)
    app.command()(doctor)


def login(
    url: Annotated[
        str, typer.Argument(help="The service's address: http://127.0.0.1:8080.", show_default=False)
    ],
) -> None:
    """Store a service's address and a token, once both have been tried.

    The token is asked for, or read from standard input: `make -s token | lambda-ms login URL`.
    """
    output = Output()
    token = typer.prompt("Token", hide_input=True) if sys.stdin.isatty() else sys.stdin.read()
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable():
        output.failure("that is no token")
        raise typer.Exit(USAGE)
    try:
        client = Client(url, token, retries=Retries(attempts=1))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="URL") from error
    with client:
        compare_versions(client, output)
        _try_token(client)
    file = configuration.save(client.url, token)
    who = Configuration(client.url, token, str(file)).claims().get("sub", "the maker of the key")
    output.note(f"signed in at {client.url} as {who}; stored in {file}")


def open_console(
    sign_in: Annotated[
        bool,
        typer.Option(
            "--sign-in",
            help="Hand the token over. Users of this machine may see it in the list of processes.",
        ),
    ] = False,
) -> None:
    """Open the console in the browser."""
    output = Output()
    found = configuration.load()
    address = f"{found.url}/console"
    output.line(address)
    fragment = f"#token={found.token}" if sign_in and found.token else ""
    if not webbrowser.open(address + fragment):
        output.note("no browser can be opened here: open the address above")


def doctor() -> None:
    """Look at configuration, address, clock, version and token, and say what is wrong."""
    output, worst = Output(), 0
    for code, text in _findings():
        output.line(f"{'ok  ' if code == 0 else 'BAD '} {text}", "green" if code == 0 else "bold red")
        worst = worst or code
    raise typer.Exit(worst)


def _findings() -> Iterator[tuple[int, str]]:
    """Give what was looked at: 0 or an exit status, and a sentence. Ends where the rest needs what is missing."""
    try:
        found = configuration.load()
        client = connected()
    except NotConfigured as error:
        yield DENIED, str(error)
        return
    yield from _file(found)
    health = calls.health()
    with client:
        try:
            status, headers, body = client.exchange(health)
            service = read(health, status, headers, body)
        except LambdaError as error:
            yield UNAVAILABLE, f"address: {error}"
            return
        yield (
            0 if service.status != "error" else UNAVAILABLE,
            f"address {found.url}: the service is {service.status}",
        )
        yield from _clock(headers.get("Date"))
        fits = service.version.split(".")[:2] == __version__.split(".")[:2]
        yield 0 if fits else USAGE, f"version {__version__}, the service is {service.version}"
        yield from _token(client, found)


def _file(found: Configuration) -> Iterator[tuple[int, str]]:
    path = configuration.path()
    if found.origin != str(path):
        yield 0, f"configuration from {found.origin}"
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    private = sys.platform == "win32" or not mode & 0o077
    yield (
        0 if private else USAGE,
        f"configuration {path}" + ("" if private else f" is readable for others: {mode:o}"),
    )


def _clock(date: str | None) -> Iterator[tuple[int, str]]:
    if date is not None:
        off = time.time() - parsedate_to_datetime(date).timestamp()
        yield 0 if abs(off) < _LEEWAY else USAGE, f"clock: {off:+.0f} s from the service's"


def _token(client: Client, found: Configuration) -> Iterator[tuple[int, str]]:
    if found.token is None:
        yield DENIED, f"token: there is none; set {configuration.TOKEN_VARIABLE}"
        return
    try:
        _try_token(client)
    except LambdaError as error:
        yield DENIED if isinstance(error, Unauthorized) else UNAVAILABLE, f"token: {error}"
        return
    claims = found.claims()
    if not claims:
        yield 0, "token: an API key, and it is accepted"
        return
    until = datetime.fromtimestamp(claims["exp"]).astimezone().strftime("%Y-%m-%d %H:%M")
    yield (
        0,
        f"token of {claims.get('sub')} until {until}: {claims.get('scope', claims.get('scp', 'no scope'))}",
    )


def _try_token(client: Client) -> None:
    """Make a call that only a good token gets answered. That it lacks a scope is no fault of it."""
    try:
        client.functions(per_page=1)
    except Forbidden:
        return
