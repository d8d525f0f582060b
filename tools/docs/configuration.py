"""The parts' configuration: `python -m tools.docs.configuration FILE` writes the page of it (`make configuration`),
and without a file it prints the values that hold here and now, secrets masked (`make config`)."""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from environs import FileAwareEnv

from local.settings import PORTS
from local.state import ROOT
from tools.docs.variables import COMPUTED, PARTS, Variable, variables

PASSWORD = re.compile(r"(?<=://)([^:@/]*):[^@/]*@")
MASK = "********"
HEAD = """# Configuration

Every variable that the service reads. It may stand in the environment; in a file `.env` in the root of a checkout
(see `.env.example`), over which the environment wins; or, as a secret should, in the file that `<NAME>_FILE` names.
The controller also takes the platform's secrets: `/var/openfaas/secrets/jwt-secret` is `JWT_SECRET`. A bad value
stops the start with one line that names the variable. `make config` prints what holds here and now.

This page is made from the settings modules by `make configuration`; a test compares the two.
"""
TITLES = {"controller": "Controller", "runtime": "Runtimes"}
PORTS_HEAD = """## `make run`

TCP ports on the loopback address.

| variable | default | who listens |
|---|---|---|"""


def page() -> str:
    """The page, in Markdown."""
    lines = [HEAD]
    for part in PARTS:
        lines += [f"## {TITLES[part]}\n", "| variable | default | unit | meaning |", "|---|---|---|---|"]
        lines += [_row(variable) for variable in variables(part)]
        lines.append("")
    lines.append(PORTS_HEAD)
    lines += [f"| `{name}` | `{default}` | {who} |" for name, (default, who) in PORTS.items()]
    return "\n".join(lines) + "\n"


def _row(variable: Variable) -> str:
    match variable.default:
        case None:
            default = "none"
        case "":
            default = "unset"
        case text if text == COMPUTED:
            default = text
        case text:
            default = f"`{text.replace(',', ', ')}`"
    if variable.unit == "bytes" and (variable.default or "").isdigit():
        default = _bytes(int(variable.default or 0))
    return f"| `{variable.name}` | {default} | {variable.unit} | {variable.meaning} |"


def _bytes(count: int) -> str:
    for size, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count and count % size == 0:
            return f"`{count}` ({count // size} {unit})"
    return f"`{count}`"


def effective(dotenv: Path) -> Iterator[str]:
    """A line for each variable: its value as the parts would read it, and what it is for."""
    env = FileAwareEnv(strip_whitespace=True)
    if dotenv.is_file():
        env.read_env(dotenv, recurse=False)
    for part in PARTS:
        yield f"# {TITLES[part]}"
        for variable in variables(part):
            given = env.str(variable.name, None)
            chosen = "" if given is None else "  # chosen"
            yield f"{variable.name}={_masked(variable, variable.default if given is None else given)}{chosen}"


def _masked(variable: Variable, value: str | None) -> str:
    if value and variable.secret:
        return MASK
    return PASSWORD.sub(rf"\1:{MASK}@", value or "")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.docs.configuration", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?")
    file = parser.parse_args().file
    try:
        if file is None:
            print(*effective(ROOT / ".env"), sep="\n")
        else:
            file.write_text(page())
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
