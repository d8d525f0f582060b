"""`executions`, `usage`, `sessions`, `packages` and `keys`."""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Literal

import typer

from lambda_ms.answers import ExecutionEntry
from lambda_ms.cli.connection import PER_PAGE, AsJson, Reference, connected, pages
from lambda_ms.cli.output import Output, ago

#: Seconds between two questions for new executions.
_POLL = 1.0
#: Rows that are written late are looked for this far back.
_OVERLAP = timedelta(seconds=10)
#: Executions that are not printed again.
_REMEMBERED = 10_000
_FORMAT = "{:<19}  {:<28}  {:>7}  {:<20}  {:>10}"
sessions = typer.Typer(help="Describe or end a session.", no_args_is_help=True)
keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (executions, usage, packages):
        app.command()(command)
    app.add_typer(sessions, name="sessions")
    app.add_typer(keys, name="keys")


def executions(
    function: Annotated[str | None, typer.Argument(help="Those of a function: python-price@2.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they come; Ctrl-C ends.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Those that failed.")] = False,
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="How many to begin with.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List executions, the newest last."""
    output = Output(json=as_json)
    status: Literal["error"] | None = "error" if failed else None
    with connected() as client:

        def listed(since: datetime | None) -> list[ExecutionEntry]:
            bound = None if since else most
            size = min(bound or PER_PAGE, PER_PAGE)
            ask = partial(client.executions, function=function, status=status, since=since, per_page=size)
            return list(pages(lambda cursor: ask(cursor=cursor), "executions", bound))[::-1]

        if output.json and not follow:
            output.document(listed(None))
            return
        if not output.json:
            output.line(_FORMAT.format("time", "function", "version", "outcome", "ms"), "bold")
        try:
            _show_as_they_come(output, listed, follow=follow)
        except KeyboardInterrupt:  # the way to end it
            raise typer.Exit(0) from None


def _show_as_they_come(
    output: Output, listed: Callable[[datetime | None], list[ExecutionEntry]], *, follow: bool
) -> None:
    """Print executions, each once; go on if they are followed."""
    shown, latest = deque[tuple[str, str]](maxlen=_REMEMBERED), None
    while True:
        for each in listed(latest and latest - _OVERLAP):
            if (seen := (each.http_request_id, each.created_at)) not in shown:
                shown.append(seen)
                latest = datetime.fromisoformat(each.created_at)
                _show(output, each)
        if not follow:
            return
        time.sleep(_POLL)


def _show(output: Output, entry: ExecutionEntry) -> None:
    """Print an execution on a line."""
    if output.json:
        output.document(entry, indent=False)
        return
    outcome = entry.code or ("cached" if entry.cached else "ok")
    version = "" if entry.version is None else entry.version
    columns = (
        ago(entry.created_at),
        entry.language_title or "",
        version,
        outcome,
        f"{entry.duration_ms:.1f}",
    )
    output.line(_FORMAT.format(*columns), "red" if entry.code else "")


def usage(
    hourly: Annotated[bool, typer.Option("--hourly", help="The last 24 hours, in place of 30 days.")] = False,
    as_json: AsJson = False,
) -> None:
    """Count what your executions used."""
    output = Output(json=as_json)
    with connected() as client:
        answer = client.usage(bucket="hour" if hourly else "day")
    if output.json:
        output.document(answer)
        return
    figures = [(ago(each.starts_at), each) for each in answer.buckets] + [("total", answer.total)]
    rows = [
        (
            when,
            each.executions,
            sum(each.errors.values()),
            f"{each.cached_share:.0%}",
            f"{each.cpu_ms / 1000:.1f}",
            f"{each.wall_ms / 1000:.1f}",
        )
        for when, each in figures
    ]
    output.rows(answer.buckets, ("from", "executions", "failed", "cached", "CPU s", "wall s"), rows)


def packages(function: Reference, as_json: AsJson = False) -> None:
    """List the packages that a function has, as they were resolved."""
    output = Output(json=as_json)
    with connected() as client:
        digest = client.function(function).environment
        if digest is None:
            output.note(f"{function} has no packages")
            found = []
        else:
            found = client.environment(digest).packages
    rows = [(each.name, each.version, _megabytes(each.bytes), each.licence) for each in found]
    if found or output.json:
        output.rows(found, ("package", "version", "MB", "licence"), rows)


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1_000_000:.1f}"


@sessions.command("show")
def show_session(
    request_id: Annotated[str, typer.Argument(help="The session.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Describe a session."""
    output = Output(json=as_json)
    with connected() as client:
        found = client.session(request_id)
    columns = ("function", "status", "begun", "expires", "executions")
    row = (
        found.language_title,
        found.status,
        ago(found.created_at),
        ago(found.expires_at),
        found.execution_count,
    )
    if output.json:
        output.document(found)
    else:
        output.rows([found], columns, [row])


@sessions.command("end")
def end_session(request_id: Annotated[str, typer.Argument(help="The session.", show_default=False)]) -> None:
    """End a session before its time."""
    with connected() as client:
        client.end_session(request_id)
    Output().note(f"ended {request_id}")


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List your API keys."""
    output = Output(json=as_json)
    with connected() as client:
        found = client.keys().keys
    rows = (
        (
            each.key_id,
            each.name,
            each.scope,
            "all" if each.functions is None else ", ".join(each.functions),
            ago(each.expires_at),
            "never" if each.last_used_at is None else ago(each.last_used_at),
        )
        for each in found
    )
    output.rows(found, ("id", "name", "scope", "functions", "expires", "used"), rows)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="To tell keys apart.", show_default=False)],
    scope: Annotated[
        str, typer.Option(help="Rights, separated by spaces: execute:python read:functions.")
    ] = "execute:all",
    function: Annotated[
        list[str] | None, typer.Option(help="The only function it may run; may be repeated.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, help="How long it is valid; as long as allowed if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key. It is printed here and never again."""
    output = Output(json=as_json)
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with connected() as client:
        made = client.create_key(name, scope, functions=function, expires_at=expires_at)
    if output.json:
        output.document(made)
        return
    output.line(made.key)
    output.note(f"valid until {ago(made.expires_at)}; it is not shown again", "dim")


@keys.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument(help="The key's id.", show_default=False)]) -> None:
    """Revoke an API key, everywhere within 30 seconds."""
    with connected() as client:
        client.delete_key(key_id)
    Output().note(f"revoked {key_id}")
