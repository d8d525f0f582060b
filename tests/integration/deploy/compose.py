"""Reads the Compose file as Docker Compose does: variables filled in, short forms of services made long."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parents[3] / "deploy" / "docker-compose.yml"
CHECKER = Path(sys.executable).with_name("check-jsonschema")
#: What a service may name, and where the file defines it.
DEFINED = ("networks", "secrets", "depends_on", "volumes")
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")

Document = dict[str, Any]


def filled(file: Path, variables: Mapping[str, str]) -> Document:
    """A YAML file with the variables, or their defaults, in it."""
    text = _VARIABLE.sub(lambda found: variables.get(found[1], found[2]), file.read_text())
    assert "${" not in text
    document: Document = yaml.safe_load(text)
    return document


def project(file: Path, variables: Mapping[str, str]) -> Document:
    """The Compose file likewise. Lists of names become tables, as Compose takes them."""
    document = filled(file, variables)
    for service in document["services"].values():
        for key in ("networks", "depends_on"):
            if isinstance(service.get(key), list):
                service[key] = dict.fromkeys(service[key])
    return document


def mistakes(document: Document, folder: Path) -> list[str]:
    """What Compose would refuse: keys that its specification does not have, and names that nothing defines."""
    file = folder / "docker-compose.json"
    file.write_text(json.dumps(document))
    command = [str(CHECKER), "--builtin-schema", "vendor.compose-spec", "--output-format", "json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = [] if done.returncode == 0 else [done.stdout + done.stderr]
    for name, service in document["services"].items():
        for key in DEFINED:
            known = document["services" if key == "depends_on" else key]
            found += [f"{name}: {key}: {one}" for one in _named(service, key) if one not in known]
    return found


def bind_mounts(service: Document) -> list[Path]:
    """The folders and files of this machine that it mounts."""
    return [Path(source) for source in _sources(service) if source.startswith((".", "/"))]


def _named(service: Document, key: str) -> list[str]:
    if key == "volumes":
        return [source for source in _sources(service) if not source.startswith((".", "/"))]
    return list(service.get(key, ()))


def _sources(service: Document) -> list[str]:
    return [volume.partition(":")[0] for volume in service.get("volumes", ())]
