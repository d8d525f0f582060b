"""The text of docs/packages.md below its how-to, which people write."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.docs.packages.calls import Call

#: Where the text begins. What stands before it stays.
HEADING = "## What works\n"
_HEAD = f"""{HEADING}
Popular packages, each with a call that uses it. A runtime with the default settings ran each call in a new worker:
confined, with 256 MiB of memory and without a network. A deployment adds packages as
[Adding packages](scripts.md#adding-packages) tells.

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


def page(before: str, tables: dict[str, Sequence[Row]]) -> str:
    """Return the page with a table for each title, below the how-to of the page as it was."""
    parts = [before.partition(HEADING)[0], _HEAD]
    for title, rows in tables.items():
        working = sum(not row.reason for row in rows)
        parts += [
            f"\n### {title}\n\n{working} of {len(rows)} work.\n",
            "\n| package | version | the call | outcome |\n|---|---|---|---|\n",
            *map(_line, rows),
        ]
    return "".join(parts)


def _line(row: Row) -> str:
    reason = f"needs {row.call.needs}: {row.reason}" if row.reason and row.call.needs else row.reason
    cells = (f"`{row.call.package}`", row.version or "", row.call.does, reason or "works")
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |\n"
