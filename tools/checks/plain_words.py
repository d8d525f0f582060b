"""Bounds the words of the old dialect in the product's Python and in every page.

Run it with `python -m tools.checks.plain_words`.
"""

import re
import subprocess
import sys
from pathlib import Path

from local.state import ROOT

WORDS = re.compile(r"\b(nobody|whose|whoever|of\s+its\s+own|at\s+once|so\s+many|meanwhile)\b", re.IGNORECASE)
FOLDERS = ("controller", "runtime", "telemetry", "configuration", "framing", "function", "template")
#: Most occurrences that may remain. Some are the right word: `nobody` is also an account.
MOST = 60


def places(root: Path, names: list[str]) -> list[str]:
    """Return file, line and word of each occurrence in the named files."""
    found = []
    for name in names:
        text = (root / name).read_text()
        for match in WORDS.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{name}:{line}: {' '.join(match[0].split())}")
    return found


def main() -> int:
    """Print the places and return 1 if there are too many."""
    patterns = ["*.md", *(f"{folder}/*.py" for folder in FOLDERS)]
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    found = places(ROOT, [name for name in listed.split("\0") if name and (ROOT / name).is_file()])
    if len(found) > MOST:
        print(
            *found, f"{len(found)} of the words to avoid, at most {MOST} may stay", sep="\n", file=sys.stderr
        )
    return int(len(found) > MOST)


if __name__ == "__main__":
    sys.exit(main())
