"""What leads jobs to registries: variables of the environment, files that these name, and secrets to mask."""

import base64
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runtime.installer.settings import Settings

#: Variables of every job. curl, OpenSSL and the tools read both spellings of the proxies.
_WAYS = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_KEPT = {"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", *_WAYS, *(name.lower() for name in _WAYS)}
#: Variables of pip, and what uv calls the same.
_OF_PIP = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_CERT": "SSL_CERT_FILE",
}
#: Variables of uv that name no index: this function decides what they say.
_NOT_OF_INDEXES = re.compile(
    r"UV_(?!DEFAULT_INDEX$|INDEX|EXTRA_INDEX_URL$|FIND_LINKS$|SYSTEM_CERTS$|NATIVE_TLS$)"
)
_PATHS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "UV_FIND_LINKS", "NPM_CONFIG_CAFILE")
_NPM = "npm_config_"
#: Settings of npm that this function decides on.
_NPM_OWN = re.compile(
    r"(?i)npm_config_(?!registry$|cafile$|ca$|strict.ssl$|proxy$|https.proxy$|noproxy$|@[^:]+:registry$|//)"
)
_SECRET_OF_NPM = re.compile(r"(?i)(?:_auth(?:token)?|_password)$")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s\"']+@")
#: What the C library resolves names by.
_NAMES = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf")
MASK = "***"


class Registries:
    """The way to the registries that a deployment names, or else to those that its machine names.

    Args:
        settings: Name the registries of the deployment.
        machine: The environment of this process.
    """

    def __init__(self, settings: Settings, machine: Mapping[str, str] = os.environ) -> None:
        common = {name: value for name, value in machine.items() if name in _KEPT and value}
        self.python = common | self._python(settings, machine)
        self.nodejs = common | self._nodejs(settings, machine)
        self._secrets = sorted(_secrets({**self.python, **self.nodejs}), key=len, reverse=True)

    def readable(self, variables: Mapping[str, str]) -> tuple[str, ...]:
        """Return the files and folders that a job with these variables must read."""
        upper = {name.upper(): value for name, value in variables.items()}
        named = [part for name in _PATHS for part in re.split(r"[:,\s]", upper.get(name, "")) if part]
        return (*_NAMES, *named, *(target for path in named for target in _targets(Path(path))))

    def mask(self, text: str) -> str:
        """Return a text without the credentials of registries."""
        text = _CREDENTIALS.sub(f"{MASK}@", text)
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    @staticmethod
    def _python(settings: Settings, machine: Mapping[str, str]) -> dict[str, str]:
        if settings.wheels is not None:
            return {"UV_FIND_LINKS": str(settings.wheels), "UV_NO_INDEX": "1", "UV_OFFLINE": "1"}
        if settings.index_url is not None:
            return {"UV_DEFAULT_INDEX": settings.index_url}
        of_pip = {_OF_PIP[name]: value for name, value in machine.items() if name in _OF_PIP and value}
        of_uv = {
            name: value
            for name, value in machine.items()
            if name.startswith("UV_") and not _NOT_OF_INDEXES.match(name)
        }
        found = of_pip | of_uv
        links = _existing(found.pop("UV_FIND_LINKS", ""))
        return found | ({"UV_FIND_LINKS": links} if links else {})

    @staticmethod
    def _nodejs(settings: Settings, machine: Mapping[str, str]) -> dict[str, str]:
        # A cache knows its files by the addresses of the registry that they came from.
        offline = {} if settings.npm_cache is None else {"npm_config_offline": "true"}
        if settings.npm_registry_url is not None:
            return offline | _npm_registry(settings.npm_registry_url)
        of_npm = {
            name: value
            for name, value in machine.items()
            if name.lower().startswith(_NPM) and not _NPM_OWN.match(name)
        }
        return of_npm | offline


def _existing(links: str) -> str:
    """Return the folders and addresses that are there: pip passes over others, and uv fails."""
    each = re.split(r"[\s,]+", links)
    return ",".join(link for link in each if "://" in link or (link and Path(link).is_dir()))


def _npm_registry(url: str) -> dict[str, str]:
    """Return the variables of a registry. npm takes credentials beside an address, not in it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    place = f"//{host}{parts.path.rstrip('/')}/"
    found = {"npm_config_registry": f"{parts.scheme}:{place}"}
    if parts.username and not parts.password:
        found[f"npm_config_{place}:_authToken"] = unquote(parts.username)
    elif parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        found[f"npm_config_{place}:_auth"] = base64.b64encode(pair).decode()
    return found


def _secrets(variables: Mapping[str, str]) -> Iterator[str]:
    for name, value in variables.items():
        if _SECRET_OF_NPM.search(name):
            yield value
        for found in re.findall(r"://([^/@\s]+)@", value):
            yield from (part for part in found.split(":") if len(part) > 3)
    yield from (value for name, value in variables.items() if re.match(r"UV_INDEX_.*_PASSWORD$", name))


def _targets(path: Path) -> set[str]:
    """Return the files outside a folder that its links name: certificates are linked so."""
    if not path.is_dir():
        return set()
    links = (str(entry.resolve()) for entry in path.iterdir() if entry.is_symlink())
    return {target for target in links if not target.startswith(f"{path.resolve()}/")}
