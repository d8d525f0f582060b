"""`run`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lambda_ms.cli.connection import AsJson, Reference, connected
from lambda_ms.cli.failures import status
from lambda_ms.cli.output import Output
from lambda_ms.cli.versioning import LIVE
from lambda_ms.client import Client
from lambda_ms.errors import LambdaError, NotFound, ScriptError
from lambda_ms.source import LANGUAGES


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(run)


def run(
    function: Reference,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="A value: JSON, or else a text."),
    ] = None,
    params: Annotated[
        str, typer.Option(metavar="JSON|@FILE|-", help="All params: JSON, a file, or standard input.")
    ] = "",
    key: Annotated[
        str | None, typer.Option(help="An idempotency key: the call runs once, and may be repeated.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run it though a result is kept.")] = False,
    timeout_ms: Annotated[int | None, typer.Option(min=1, help="The deadline, in milliseconds.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a function by its name."""
    output = Output(json=as_json)
    given = _params(params) | dict(_value(each) for each in param or ())
    context = None if timeout_ms is None else {"timeout_ms": timeout_ms}
    with connected() as client:
        try:
            with output.busy(f"running {function}"):
                answer = client.run(
                    function, given, context=context, key=key, cache="no-cache" if no_cache else None
                )
        except ScriptError as error:
            script, name = _script(client, function)
            output.script_error(error, script, name)
            raise typer.Exit(status(error)) from error
    if output.json:
        output.document(answer)
        return
    output.printed(answer.stdout or "", answer.stderr or "")
    output.value(answer.result)
    kept = "cached, " if answer.cached else ""
    output.note(f"version {answer.version}, {kept}{answer.execution_time:.1f} ms", "dim")


def _params(text: str) -> dict[str, Any]:
    """Return the params that an option names."""
    if not text:
        return {}
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        params = json.loads(text)
    except OSError as error:
        raise typer.BadParameter(f"{text[1:]}: {error.strerror}", param_hint="--params") from error
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="--params") from error
    if not isinstance(params, dict):
        raise typer.BadParameter("params are an object: {...}", param_hint="--params")
    return params


def _value(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--param")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _script(client: Client, function: str) -> tuple[str | None, str]:
    """Return the script's text if it is known, and the file here that has it, or else the function."""
    try:
        if _two_sided(client, function):  # an error does not say which side it is of
            return None, function
        detail = client.function(function)
    except LambdaError:
        return None, function
    script = detail.script_content or None
    suffixes = [suffix for suffix, language in LANGUAGES.items() if language == detail.language]
    names = [f"{detail.title}{suffix}" for suffix in suffixes]
    for file in (Path(folder, name) for folder in (".", detail.title) for name in names):
        if script is not None and file.is_file() and file.read_bytes() == script.encode():
            return script, str(file)
    return script, f"{detail.language_title}@{detail.version}"


def _two_sided(client: Client, function: str) -> bool:
    """Whether calls get one of two versions."""
    name, _, asked = function.partition("@")
    if asked.isdecimal():
        return False
    try:
        return bool(client.alias(name, asked or LIVE).canary)
    except NotFound:
        return False
