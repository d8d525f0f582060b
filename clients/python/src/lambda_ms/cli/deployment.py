"""`init` and `deploy`."""

import re
import time
from pathlib import Path
from typing import Annotated

import typer

from lambda_ms.answers import FunctionDetail
from lambda_ms.cli import templates
from lambda_ms.cli.connection import AsJson, compare_versions, connected, newest
from lambda_ms.cli.failures import USAGE, report, status
from lambda_ms.cli.output import Output
from lambda_ms.client import Client
from lambda_ms.errors import Forbidden, LambdaError, ScriptError
from lambda_ms.source import SETTINGS, SourceError, read_source

#: What a function may be called.
_TITLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: Seconds between two looks at the files.
_LOOK = 0.3


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)
    app.command()(deploy)


def init(
    folder: Annotated[
        Path, typer.Argument(help="The folder to make; its name is the function's.", show_default=False)
    ],
    language: Annotated[
        templates.Language, typer.Option("--language", "-l", help="The language.")
    ] = templates.Language.python,
) -> None:
    """Make a project: a function, its schema and its test."""
    output = Output()
    name = folder.resolve().name
    if _TITLE.fullmatch(name) is None:
        raise typer.BadParameter(f"{name!r} is no name of a function", param_hint="FOLDER")
    files = templates.files(name, language)
    taken = [folder / name for name in files if (folder / name).exists()]
    if taken:
        output.failure(f"{taken[0]} is there already")
        raise typer.Exit(USAGE)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        output.line(f"made {folder / name}")
    output.note(f"next: lambda-ms deploy --verify {folder / next(iter(files))}", "dim")


def deploy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The script.", show_default=False)],
    verify: Annotated[
        bool, typer.Option("--verify", help="Refuse the version if an example differs.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Deploy again whenever the file changes; Ctrl-C ends.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a version of a function of FILE, and of function.toml beside it."""
    output = Output(json=as_json)
    with connected() as client:
        if not watch:
            code = _deploy(client, output, file, verify=verify)
            compare_versions(client, output)
            raise typer.Exit(code)
        try:
            _watch(client, output, file, verify=verify)
        except KeyboardInterrupt:  # the way to end it
            raise typer.Exit(0) from None


def _watch(client: Client, output: Output, file: Path, *, verify: bool) -> None:
    """Deploy now, and whenever the files change. What goes wrong is said, and the next change is waited for."""
    last = None
    while True:
        state = [path.stat().st_mtime_ns if path.exists() else 0 for path in (file, file.parent / SETTINGS)]
        if state != last:
            last = state
            try:
                _deploy(client, output, file, verify=verify)
            except (LambdaError, SourceError) as error:
                report(output, error)
            output.note(f"watching {file}; Ctrl-C ends", "dim")
        time.sleep(_LOOK)


def _deploy(client: Client, output: Output, file: Path, *, verify: bool) -> int:
    """Deploy a file. Return the exit status."""
    source = read_source(file)
    before = newest(client, source.language_title)
    beside = f" with {', '.join(source.packages)}" if source.packages else ""
    try:
        with output.busy(f"deploying {source.language_title}{beside}"):
            made = client.deploy(file, verify=verify, if_match=before)
    except ScriptError as error:
        output.script_error(error, source.script, str(file))
        return status(error)
    if output.json:
        output.document(made, indent=False)
    else:
        _tell(client, output, made, before)
    return 0


def _tell(client: Client, output: Output, made: FunctionDetail, before: int | None) -> None:
    """Say which version there is now, and which one callers get."""
    name = made.language_title
    unchanged = " (unchanged)" if made.version == before else ""
    output.line(f"{name} version {made.version}{unchanged}", "bold green")
    if made.packages:
        output.line(f"packages: {', '.join(made.packages)}")
    try:
        served = client.function(name).version
    except Forbidden:  # a key may be for writing alone
        return
    if served != made.version:
        output.note(
            f"calls get version {served}, which `live` names; `lambda-ms canary {name} {made.version} 10%`"
        )
