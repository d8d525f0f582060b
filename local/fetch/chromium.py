"""Chromium without a window: the one that CHROMIUM names, the machine's own, or the distribution's, unpacked."""

import os
import shutil
from pathlib import Path

from local.fetch.debian_program import DebianProgram, debian_program

#: The folder of the program in the state.
FOLDER = "chromium"
OWN = ("chromium", "chromium-browser", "google-chrome")
#: The build that needs neither GTK nor a display.
PACKAGE = "chromium-headless-shell"
#: What it reads beside itself, and the fonts of the pictures, which are the same on every machine.
BESIDE = ("chromium-common", "fonts-inter", "fonts-jetbrains-mono")
_FONTS = """\
<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<dir>{fonts}</dir>
<alias><family>system-ui</family><prefer><family>Inter</family></prefer></alias>
<alias><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>
<alias><family>monospace</family><prefer><family>JetBrains Mono</family></prefer></alias>
</fontconfig>
"""


def program(folder: Path) -> DebianProgram:
    """The program, fetched into `folder` if need be. Raises PackagesError."""
    names = [os.environ.get("CHROMIUM"), *map(shutil.which, OWN)]
    for own in filter(None, names):
        return DebianProgram(Path(own), {})
    found = debian_program(PACKAGE, PACKAGE, folder, BESIDE)
    fonts = folder / "fonts.conf"
    fonts.write_text(_FONTS.format(fonts=folder / "root" / "usr" / "share" / "fonts"))
    return DebianProgram(found.path, {**found.environment, "FONTCONFIG_FILE": str(fonts)})
