"""What an image's Dockerfile sets for the process that runs in it."""

import re
import shlex


def variables(dockerfile: str) -> dict[str, str]:
    """ENV of the last stage, which is the one that is shipped.

    Values that refer to other variables, such as PATH, are left out: they speak of places inside the image.
    """
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    found: dict[str, str] = {}
    for instruction in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        keyword, _, rest = instruction.strip().partition(" ")
        if keyword.upper() == "FROM":
            found = {}
        elif keyword.upper() == "ENV":
            pairs = (word.partition("=") for word in shlex.split(rest))
            found |= {name: value for name, _, value in pairs if "$" not in value}
    return found
