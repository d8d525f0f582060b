"""What the commands print: tables and colours on a terminal, JSON elsewhere; failures on standard error."""

import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lambda_ms.errors import ScriptError, ScriptFailed, ScriptRefused

#: What a terminal would take as a command to it.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: Characters of a result that is not broken into lines.
_SHORT = 100
#: Lines of the script above the one that is meant.
_ABOVE = 2


def plain(text: object) -> str:
    """Return a text that a script or the service sent, harmless to a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text).replace("\r\n", "\n"))


class Output:
    """Standard output for answers, standard error for all else.

    Args:
        json: whether answers are printed as JSON. They are where standard output is no terminal.
    """

    def __init__(self, *, json: bool = False) -> None:
        self.json = json or not sys.stdout.isatty()
        self._out = Console(highlight=False, markup=False, emoji=False)
        self._err = Console(highlight=False, markup=False, emoji=False, stderr=True)

    def document(self, answer: object, *, indent: bool = True) -> None:
        """Print an answer as JSON, on one line if it is one of many."""
        encoded = msgspec.json.encode(answer)
        print((msgspec.json.format(encoded, indent=2) if indent else encoded).decode(), flush=True)

    def value(self, value: object) -> None:
        """Print a result for a person, on one line if it is short."""
        encoded = msgspec.json.encode(value)
        line = msgspec.json.format(encoded, indent=0).decode()
        self.line(line if len(line) <= _SHORT else msgspec.json.format(encoded, indent=2).decode())

    def rows(
        self, answers: Sequence[object], columns: Sequence[str], rows: Iterable[Sequence[object]]
    ) -> None:
        """Print a list: a table of these columns, or the answers as JSON."""
        if self.json:
            self.document(answers)
            return
        table = Table(*columns, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*(Text(plain("" if each is None else each)) for each in row))
        self._out.print(table)

    def line(self, text: str, style: str = "") -> None:
        """Print a line for a person."""
        self._out.print(Text(plain(text), style), soft_wrap=True)

    def note(self, text: str, style: str = "") -> None:
        """Print a line beside the answer, on standard error."""
        self._err.print(Text(plain(text), style), soft_wrap=True)

    def failure(self, text: str, *hints: str) -> None:
        """Print what went wrong, and what to do."""
        self._err.print(Text.assemble(("error: ", "bold red"), plain(text)), soft_wrap=True)
        for hint in hints:
            self._err.print(Text.assemble(("hint: ", "bold cyan"), plain(hint)), soft_wrap=True)

    def busy(self, text: str) -> AbstractContextManager[object]:
        """Show that a call is under way, on a terminal."""
        return self._err.status(Text(plain(text))) if self._err.is_terminal else nullcontext()

    def printed(self, stdout: str, stderr: str) -> None:
        """Print what a script printed."""
        for text, style in ((stdout, "dim"), (stderr, "dim red")):
            if text:
                self.note(text.removesuffix("\n"), style)

    def script_error(self, error: ScriptError, script: str | None, name: str) -> None:
        """Draw an error of a script below the line that is meant.

        Args:
            error: the error.
            script: the script's text; None: it is not known.
            name: the file or the function, to stand before the line's number.
        """
        self.printed(error.stdout, error.stderr)
        self.failure(_headline(error))
        if error.line is not None:
            place = f"{name}:{error.line}" + ("" if error.column is None else f":{error.column}")
            self.note(f"  --> {place}", "blue")
            if script is not None:
                self._excerpt(script.splitlines(), error.line, error.column)
        for difference in error.details.get("differences", ()):
            self._difference(difference)
        if error.hint:
            self._err.print(Text.assemble(("hint: ", "bold cyan"), plain(error.hint)), soft_wrap=True)

    def _excerpt(self, lines: Sequence[str], line: int, column: int | None) -> None:
        width = len(str(line))
        for number in range(max(1, line - _ABOVE), min(line, len(lines)) + 1):
            self.note(f"  {number:>{width}} | {lines[number - 1]}")
        if column is not None and line <= len(lines):
            before = re.sub(r"[^\t]", " ", lines[line - 1][: column - 1])
            self.note(f"  {'':>{width}} | {before}^", "bold red")

    def _difference(self, difference: dict[str, Any]) -> None:
        name = difference.get("name") or f"number {difference.get('example')}"
        self.note(f"  example {name}:", "bold")
        for step in difference.get("patch", ()):
            shown = "" if "value" not in step else msgspec.json.encode(step["value"]).decode()
            self.note(f"    {step['op']} {step['path'] or 'the result'} {shown}".rstrip())
        for other in ("error", "message"):
            if other in difference:
                said = difference[other]
                self.note(f"    {said.get('message') if isinstance(said, dict) else said}")


def ago(moment: str) -> str:
    """Return a time of the service in the user's zone."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _headline(error: ScriptError) -> str:
    if isinstance(error, ScriptFailed):
        told = error.message if error.type is None else f"{error.type}: {error.message}"
        return told if error.kind == "exception" else f"{error.kind}: {error.message}"
    if isinstance(error, ScriptRefused):
        return f"the script was refused ({error.stage}): {error.message}"
    return error.message
