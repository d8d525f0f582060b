"""The documents of all variables: `docs/configuration.md`, `.env.example` and `make config`.

`python -m tools.docs.configuration --write` writes both files (`make configuration`). Without `--write` it prints the
values in effect here, secrets masked (`make config`).
"""

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from configuration.environment import Environment
from configuration.errors import UnusableSetting
from configuration.variable import Computed, Missing, Variable, variables
from controller.settings import Settings as ControllerSettings
from local.settings import CONTROLLER_VARIABLES, PACKAGES_VARIABLES, PORTS, RUNTIME_VARIABLES
from local.state import ROOT
from runtime.installer.settings import Settings as PackagesSettings
from runtime.settings import Settings as RuntimeSettings

PARTS = {"Controller": ControllerSettings, "Runtimes": RuntimeSettings, "Packages": PackagesSettings}
#: What a user of `make run` may choose, in the order of PARTS.
CHOICES = (CONTROLLER_VARIABLES, RUNTIME_VARIABLES, PACKAGES_VARIABLES)
PASSWORD = re.compile(r"(?<=://)([^:@/]*):[^/@]*@")
MASK = "********"
PAGE_HEAD = """# Configuration

Every variable that the service reads. It may be set in the environment, in a file `.env` in the root of a checkout
(see `.env.example`; the environment wins), or in the file that `<NAME>_FILE` names, as a secret should be. The
controller also reads the platform's secrets: `/var/openfaas/secrets/jwt-secret` is `JWT_SECRET`. A bad value stops
the start with one line that names the variable and the values that it accepts. `make config` prints the values in
effect.

`make configuration` writes this page from the declarations of the variables; a test compares the two.
"""
PORTS_HEAD = """## `make run`

TCP ports on the loopback address.

| variable | default | used by |
|---|---|---|"""
EXAMPLE_HEAD = """# Copy to .env and uncomment what you want to change; the environment wins over this file.
# `make run` makes the secrets and passes the addresses of its parts. `make configuration` writes this file.
# Traces: set the variables OTEL_* in the environment, see docs/logs.md.

# Ports on 127.0.0.1
"""


def page() -> str:
    """docs/configuration.md."""
    lines = [PAGE_HEAD]
    for title, settings in PARTS.items():
        lines += [
            f"## {title}\n",
            "| variable | default | unit | accepts | meaning |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(variable) for variable in sorted(variables(settings), key=lambda each: each.name)]
        lines.append("")
    lines.append(PORTS_HEAD)
    lines += [f"| `{name}` | `{default}` | {who} |" for name, (default, who) in PORTS.items()]
    return "\n".join(lines) + "\n"


def example() -> str:
    """.env.example: what a user of `make run` may choose."""
    lines = [f"# {name}={default}  # {who}" for name, (default, who) in PORTS.items()]
    listed = set(PORTS)
    for (title, settings), names in zip(PARTS.items(), CHOICES, strict=True):
        lines += ["", f"# {title}"]
        for variable in variables(settings):
            if variable.name in names and variable.name not in listed:
                listed.add(variable.name)
                lines += ["", *_entry(variable)]
    return EXAMPLE_HEAD + "\n".join(lines) + "\n"


def effective(dotenv: Path) -> Iterator[str]:
    """A line for each variable with its value as the parts read it. Raises UnusableSetting."""
    environment = Environment(dotenv)
    for title, settings in PARTS.items():
        yield f"# {title}"
        for variable in sorted(variables(settings), key=lambda each: each.name):
            given = environment.get(variable.name)
            if given is not None:
                yield f"{variable.name}={_masked(variable, given)}  # set"
            elif isinstance(variable.default, str):
                yield f"{variable.name}={_masked(variable, variable.default)}"
            else:
                yield f"{variable.name}=  # {_default(variable)}"


def _row(variable: Variable) -> str:
    accepts = re.sub(r"([<*])", r"\\\1", variable.parser.accepts)
    return f"| `{variable.name}` | {_default(variable)} | {variable.unit} | {accepts} | {variable.doc} |"


def _default(variable: Variable) -> str:
    match variable.default:
        case Missing() as missing:
            return missing.value
        case Computed(doc=doc):
            return doc
        case "":
            return "empty"
        case text if variable.unit == "bytes":
            return _bytes(int(text))
        case text:
            return f"`{text.replace(',', ', ')}`"


def _bytes(count: int) -> str:
    for size, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count and count % size == 0:
            return f"`{count}` ({count // size} {unit})"
    return f"`{count}`"


def _entry(variable: Variable) -> list[str]:
    comment = textwrap.wrap(f"{variable.doc} Accepts {variable.parser.accepts}.", 108)
    match variable.default:
        case Missing():
            default = ""
        case Computed(example=text) | text:
            default = text
    return [*(f"# {line}" for line in comment), f"# {variable.name}={default}"]


def _masked(variable: Variable, text: str) -> str:
    if text and variable.parser.secret:
        return MASK
    return PASSWORD.sub(rf"\1:{MASK}@", text)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.docs.configuration", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the page and .env.example")
    try:
        if parser.parse_args().write:
            (ROOT / "docs" / "configuration.md").write_text(page())
            (ROOT / ".env.example").write_text(example())
        else:
            print(*effective(ROOT / ".env"), sep="\n")
    except UnusableSetting as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
