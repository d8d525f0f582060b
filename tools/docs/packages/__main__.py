"""Write docs/popular-packages.md anew: `python -m tools.docs.packages`, or `make packages-table`.

Installs the packages into `.local/packages-table` and runs all calls. With `--sample` it only installs those that
tests run, into `.local/packages-sample`, if they are not there yet.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from configuration.errors import UnusableSetting
from local.fetch import node
from local.fetch.command import UnavailableError
from local.fetch.wheels import collect
from local.state import ROOT
from local.supervisor.managed_process import PartError
from tools.docs.packages.page import Row, calls, page
from tools.docs.packages.trial import SAMPLE, Trial, install

TITLES = {"python": "Python", "nodejs": "Node.js"}


def table(language: str, folder: Path, program: str) -> tuple[str, Sequence[Row]]:
    """Install the packages, run the calls, and return the title and the rows."""
    listed = calls(language)
    print(f"installing {len(listed)} packages of {TITLES[language]}")
    install(language, [call.package for call in listed], folder, node=program)
    rows = []
    with tempfile.TemporaryDirectory() as state, Trial(language, folder, Path(state), program) as trial:
        for call in listed:
            rows.append(Row(call, trial.version(call.package), trial.reason(call)))
            print(f"{call.package}: {rows[-1].reason or 'works'}")
        return f"{TITLES[language]} {trial.program}", rows


def sample(folder: Path, program: str) -> None:
    """Install what tests run, each language in a folder, unless it is there."""
    for language, packages in SAMPLE.items():
        mark, wanted = folder / f"{language}.installed", " ".join([*packages, sys.version])
        if not mark.is_file() or mark.read_text() != wanted:
            wheels = collect(ROOT / ".local" / "wheels")
            install(language, packages, folder / language, node=program, wheels=wheels)
            mark.write_text(wanted)


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs.packages", description=__doc__)
    parser.add_argument("--sample", action="store_true", help="only install what tests run")
    chosen = parser.parse_args()
    try:
        program = node.program()
        if chosen.sample:
            sample(ROOT / ".local" / "packages-sample", program)
        else:
            folder = ROOT / ".local" / "packages-table"
            tables = dict(table(language, folder / language, program) for language in TITLES)
            (ROOT / "docs" / "popular-packages.md").write_text(page(tables))
    except (UnavailableError, PartError, UnusableSetting) as reason:
        print(f"packages: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
