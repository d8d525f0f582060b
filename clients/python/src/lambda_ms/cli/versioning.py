"""`functions`, `versions`, `diff`, `rollback` and `canary`."""

import difflib
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from lambda_ms.answers import AliasAnswer, FunctionDetail, FunctionVersion
from lambda_ms.cli.connection import PER_PAGE, AsJson, Name, connected, pages
from lambda_ms.cli.failures import NOT_FOUND
from lambda_ms.cli.output import Output, ago
from lambda_ms.client import Client
from lambda_ms.errors import NotFound

#: The alias that calls without a version get.
LIVE = "live"
#: What the versions of a function may differ in.
_FIELDS = (
    "description",
    "tags",
    "schema",
    "enforce_result",
    "examples",
    "defaults",
    "packages",
    "environment",
)
_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (functions, versions, diff, rollback, canary):
        app.command()(command)


def functions(
    query: Annotated[str | None, typer.Argument(help="A part of name, description or tags.")] = None,
    tag: Annotated[str | None, typer.Option(help="Those with this tag.")] = None,
    language: Annotated[str | None, typer.Option(help="Those in this language.")] = None,
    as_json: AsJson = False,
) -> None:
    """List functions: your own and the predefined ones."""
    output = Output(json=as_json)
    with connected() as client:
        found = list(
            pages(
                lambda cursor: client.functions(
                    query=query, tag=tag, language=language, cursor=cursor, per_page=PER_PAGE
                ),
                "functions",
            )
        )
    rows = ((each.language_title, each.type, ago(each.updated_at), each.description) for each in found)
    output.rows(found, ("function", "type", "changed", "description"), rows)


def versions(name: Name, as_json: AsJson = False) -> None:
    """List the versions of a function, and which aliases name them."""
    output = Output(json=as_json)
    with connected() as client:
        found = list(_versions(client, name))
        served = client.function(name).version
        shares = {each.alias: each for each in client.aliases(name).aliases}
    rows = (
        (
            f"{each.version}{' *' if each.version == served else ''}",
            ago(each.created_at),
            ", ".join(_share(shares[alias], each.version) for alias in each.aliases if alias in shares),
            each.script_hash[:12],
        )
        for each in found
    )
    output.rows(found, ("version", "made", "aliases", "script"), rows)
    if not output.json:
        output.note("* is what calls without a version get", "dim")


def diff(
    name: Name,
    old: Annotated[
        int | None, typer.Argument(min=1, help="A version; the one before NEW if left out.")
    ] = None,
    new: Annotated[int | None, typer.Argument(min=1, help="A version; the newest if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what two versions of a function differ in."""
    output = Output(json=as_json)
    with connected() as client:
        new = new or client.function(name).newest
        old = old or _before(client, output, name, new)
        lines = list(_differences(client.function(f"{name}@{old}"), client.function(f"{name}@{new}")))
    if output.json:
        output.document({"old": old, "new": new, "diff": "\n".join(lines)})
        return
    for line in lines:
        output.line(line, _STYLES.get(line[:1], ""))
    if not lines:
        output.note(f"version {old} and version {new} are the same")


def rollback(
    name: Name,
    version: Annotated[
        int | None, typer.Argument(min=1, help="The version to go back to; the one before if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let calls get an earlier version again. No version is lost."""
    output = Output(json=as_json)
    with connected() as client:
        live = _live(client, name)
        if version is None and live is not None and live.canary:
            version = live.version  # a trial ends
        elif version is None:
            version = _before(client, output, name, live.version if live else client.function(name).newest)
        moved = client.put_alias(name, LIVE, version)
    _told(output, name, moved)


def canary(
    name: Name,
    version: Annotated[int, typer.Argument(min=1, help="The version to try.", show_default=False)],
    share: Annotated[
        str, typer.Argument(help="Its share of the calls: 10%. 0% ends the trial, 100% moves all calls.")
    ] = "10%",
    as_json: AsJson = False,
) -> None:
    """Send a share of the calls to a version, all of them, or none any more."""
    output = Output(json=as_json)
    weight = _weight(share)
    with connected() as client:
        if weight == 1:
            moved = client.put_alias(name, LIVE, version)
        else:
            live = _live(client, name)
            base = live.version if live else client.function(name).newest
            if base == version:
                base = _before(client, output, name, version)
            moved = client.put_alias(name, LIVE, base, canary=version if weight else None, weight=weight)
    _told(output, name, moved)


def _told(output: Output, name: str, moved: AliasAnswer) -> None:
    if output.json:
        output.document(moved)
    else:
        trial = moved.canary and f", {moved.canary.weight:.0%} of them version {moved.canary.version}"
        output.line(f"{name}: calls get version {moved.version}{trial or ''}", "bold green")


def _live(client: Client, name: str) -> AliasAnswer | None:
    """Return the alias that calls without a version get; None: they get the newest version."""
    try:
        return client.alias(name, LIVE)
    except NotFound:
        client.function(name)  # which there has to be
        return None


def _share(alias: AliasAnswer, version: int) -> str:
    """Return an alias's name, with the share of its calls that one of its two versions gets."""
    if not alias.canary:
        return alias.alias
    trial = alias.canary.weight
    return f"{alias.alias} {trial if version == alias.canary.version else 1 - trial:.0%}"


def _weight(share: str) -> float:
    """Return a share as a number from 0 to 1. `10%` and `0.1` are the same."""
    try:
        weight = float(share.removesuffix("%")) / (100 if share.endswith("%") else 1)
    except ValueError:
        weight = -1
    if not 0 <= weight <= 1:
        raise typer.BadParameter(f"{share} is no share: 0% to 100%", param_hint="SHARE")
    return weight


def _versions(client: Client, name: str) -> Iterator[FunctionVersion]:
    return pages(lambda cursor: client.versions(name, cursor=cursor, per_page=PER_PAGE), "versions")


def _before(client: Client, output: Output, name: str, version: int) -> int:
    """Return the version before one. Versions may have been deleted, so the numbers may have gaps."""
    for each in _versions(client, name):
        if each.version < version:
            return each.version
    output.failure(f"{name} has no version before {version}")
    raise typer.Exit(NOT_FOUND)


def _differences(old: FunctionDetail, new: FunctionDetail) -> Iterator[str]:
    """Give the lines of a unified diff, of the script and of what else a version has."""
    name = new.language_title
    texts = ((each.script_content or "", _settings(each)) for each in (old, new))
    for before, after, what in zip(*texts, ("script", "settings"), strict=True):
        yield from difflib.unified_diff(
            before.splitlines(),
            after.splitlines(),
            f"{name}@{old.version} {what}",
            f"{name}@{new.version} {what}",
            lineterm="",
        )


def _settings(detail: FunctionDetail) -> str:
    fields = {name: getattr(detail, name) for name in _FIELDS}
    return msgspec.json.format(msgspec.json.encode(fields, order="sorted"), indent=2).decode()
