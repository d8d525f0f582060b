"""What this machine's pip, uv and npm know of registries, as variables for the part that installs packages.

Another account runs that part, without the user's home folder: what stands in files there is handed on as variables.
"""

import configparser
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

_WAYS = re.compile(
    r"(?i)^(?:SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|(?:HTTPS?|ALL|NO)_PROXY|PIP_.+|UV_.+|NPM_CONFIG_.+)$"
)
_OF_PIP = ("index-url", "extra-index-url", "find-links", "cert")
_OF_NPM = re.compile(r"^(?:registry|cafile|https?-proxy|proxy|noproxy|strict-ssl|@[^:]+:registry|//.+)$")


def variables(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> dict[str, str]:
    """The variables that lead to registries. The environment wins over files, the user's files over the machine's."""
    home = root / environment.get("HOME", "/root").lstrip("/")
    found: dict[str, str] = {}
    for path in (root / "etc/pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf"):
        found |= _pip(path)
    for path in (root / "etc/uv/uv.toml", home / ".config/uv/uv.toml"):
        found |= _uv(path)
    for path in (root / "etc/npmrc", home / ".npmrc"):
        found |= dict(_npm(path, environment))
    return found | {name: value for name, value in environment.items() if _WAYS.match(name)}


def _pip(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text())
    except (OSError, ValueError, configparser.Error):
        return {}
    sections = [parser[name] for name in ("global", "install") if parser.has_section(name)]
    chosen = {name: section[name] for section in sections for name in _OF_PIP if name in section}
    return {f"PIP_{name.replace('-', '_').upper()}": " ".join(text.split()) for name, text in chosen.items()}


def _uv(path: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    options = document | document.get("pip", {})
    found = {}
    if "index-url" in options:
        found["UV_DEFAULT_INDEX"] = str(options["index-url"])
    extra = [str(url) for url in options.get("extra-index-url", ())]
    for index in document.get("index", ()):
        if index.get("default"):
            found["UV_DEFAULT_INDEX"] = str(index.get("url"))
        else:
            extra.append(str(index.get("url")))
    return found | ({"UV_INDEX": " ".join(extra)} if extra else {})


def _npm(path: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        name, _, value = (part.strip() for part in line.partition("="))
        if _OF_NPM.match(name) and value:
            text = re.sub(r"\$\{(\w+)\}", lambda named: environment.get(named[1], named[0]), value)
            yield f"npm_config_{name.replace('-', '_') if not name.startswith(('/', '@')) else name}", text
