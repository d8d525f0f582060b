"""The client that commands use, and options that several of them have."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Annotated, Any, TypeVar

import typer

from lambda_ms.cli import configuration
from lambda_ms.cli.output import Output
from lambda_ms.client import Client
from lambda_ms.errors import Forbidden, LambdaError, NotFound
from lambda_ms.retries import Retries
from lambda_ms.version import __version__

T = TypeVar("T")
#: A person is told of a limit rather than kept waiting.
_PATIENCE = Retries(patience=5)
#: Seconds that completion may take.
_GLANCE = 2.0
PER_PAGE = 100


def connected() -> Client:
    """Return a client of the configured service. Raises NotConfigured."""
    found = configuration.load()
    try:
        return Client(found.url, found.token, retries=_PATIENCE)
    except ValueError as error:
        raise configuration.NotConfigured(f"{error} (from {found.origin})") from error


def pages(page: Callable[[str | None], Any], name: str, most: int | None = None) -> Iterator[Any]:
    """Go through a list page by page.

    Args:
        page: gives the page that a cursor names; None names the first one.
        name: the field of the page that has the list.
        most: how many to give; None: all.
    """
    cursor, numbers = None, count(1)
    while True:
        answer = page(cursor)
        for each in getattr(answer, name):
            yield each
            if next(numbers) == most:
                return
        cursor = answer.cursor
        if cursor is None:
            return


def newest(client: Client, language_title: str) -> int | None:
    """Return the number of a function's newest version; None: the caller has no such function, or may not read."""
    try:
        found = client.function(language_title)
    except (NotFound, Forbidden):
        return None
    return found.newest if found.type == "dynamic" else None


def compare_versions(client: Client, output: Output) -> str:
    """Say so if the service is of another version than this program. Return the service's."""
    service = client.health().version
    if service.split(".")[:2] != __version__.split(".")[:2]:
        output.note(
            f"lambda-ms is version {__version__}, the service is {service}: install the one that fits"
        )
    return service


def _names(incomplete: str) -> Sequence[str]:
    """Return the names of functions that begin so, for the completion of shells; none if they cannot be had."""
    try:
        found = configuration.load()
        with Client(found.url, found.token, retries=Retries(attempts=1), timeout=_GLANCE) as client:
            listed = client.functions(per_page=PER_PAGE).functions
    except (LambdaError, configuration.NotConfigured, ValueError):
        return []
    return [each.language_title for each in listed if each.language_title.startswith(incomplete)]


AsJson = Annotated[
    bool, typer.Option("--json", help="Print the answer as JSON, as where there is no terminal.")
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A function: python-price.", autocompletion=_names, show_default=False
    ),
]
Reference = Annotated[
    str,
    typer.Argument(
        metavar="FUNCTION",
        help="A function; @ and a version or an alias may follow: python-price@2.",
        autocompletion=_names,
        show_default=False,
    ),
]
