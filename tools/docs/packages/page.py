"""The popular packages with a call of each, and docs/popular-packages.md, which tells of them."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Call:
    """A script that uses a package.

    Args:
        package: the name under which an installer knows the package.
        does: what the script does, in a few words.
        script: its source.
        expected: its result.
        needs: what it needs that the default confinement refuses; empty: nothing.
    """

    package: str
    does: str
    script: str
    expected: Any
    needs: str = ""


def calls(language: str) -> list[Call]:
    """Return the calls of a language, `python` or `nodejs`, sorted by package."""
    listed = tomllib.loads(Path(__file__).with_name(f"{language}.toml").read_text())
    return [Call(package, **listed[package]) for package in sorted(listed)]


_HEAD = """\
# Popular packages

Each with a call that uses it. A runtime with the default settings ran each call in a new worker: confined, with
256 MiB of memory and without a network. [Packages](packages.md) tells how a script declares them, and
[Adding packages](scripts.md#adding-packages) how a deployment adds them for all.

The scripts and their results are in [python.toml](../tools/docs/packages/python.toml) and
[nodejs.toml](../tools/docs/packages/nodejs.toml). `make packages-table` installs the newest versions, runs the calls
and writes this page.
"""


@dataclass(frozen=True)
class Row:
    """What became of a call.

    Args:
        call: what ran.
        version: of the installed package; None: it could not be found.
        reason: why it does not work; empty: it works.
    """

    call: Call
    version: str | None
    reason: str


def page(tables: dict[str, Sequence[Row]]) -> str:
    """Return the page, with a table for each title."""
    parts = [_HEAD]
    for title, rows in tables.items():
        working = sum(not row.reason for row in rows)
        parts += [
            f"\n## {title}\n\n{working} of {len(rows)} work.\n",
            "\n| package | version | the call | outcome |\n|---|---|---|---|\n",
            *map(_line, rows),
        ]
    return "".join(parts)


def _line(row: Row) -> str:
    reason = f"needs {row.call.needs}: {row.reason}" if row.reason and row.call.needs else row.reason
    cells = (f"`{row.call.package}`", row.version or "", row.call.does, reason or "works")
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |\n"
