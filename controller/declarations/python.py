"""Reads the block of a Python script that PEP 723 defines: `dependencies` and `requires-python`, nothing else."""

import re

from controller.declarations.found import Found, Pause, Wrong
from controller.declarations.names import python_versions
from controller.declarations.toml_table import offset_of, table

#: A start of a block and the comment lines that follow, as many as a declaration may have. The last `# ///` ends it.
_COMMENTS = re.compile(r"^# /// ([a-zA-Z0-9-]++)\r?+$(?:\n#(?: [^\n]*+|\r)?$){0,8200}", re.MULTILINE)
_START, END = "# /// ", "# ///"
TYPE = "script"


def read(script: str, _: Pause) -> Found | None:
    """Return what the block declares. None: there is none. Raises Wrong."""
    if _START + TYPE not in script:
        return None
    blocks = [found for found in _COMMENTS.finditer(script) if found[1] == TYPE]
    if not blocks:
        return None
    if len(blocks) > 1:
        raise Wrong("a script has one block `# /// script`", blocks[1].start())
    begins = blocks[0].start()
    lines = blocks[0][0].split("\n")
    ends = [number for number, line in enumerate(lines) if line.rstrip("\r") == END]
    if not ends or ends[-1] < 2:
        raise Wrong("the block `# /// script` has no end `# ///`, or nothing in it", begins)
    document = table(lines[1 : ends[-1]], begins + len(lines[0]) + 1, prefix=2)
    listed, versions = document.get("dependencies", []), document.get("requires-python")
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise Wrong("`dependencies` must be a list of texts", begins)
    try:
        requires = None if versions is None else python_versions(str(versions))
    except ValueError as error:
        raise Wrong(f"`requires-python`: {error}", begins) from error
    return Found([(one, offset_of(one, script, begins)) for one in dict.fromkeys(listed)], requires)
