"""Where the service is and who calls: two variables of the environment, or a file that only its owner can read."""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

URL_VARIABLE = "LAMBDA_MS_URL"
TOKEN_VARIABLE = "LAMBDA_MS_TOKEN"  # noqa: S105 - a name


class NotConfigured(Exception):
    """There is no address, or the file cannot be read. The message says what to do."""


@dataclass(frozen=True)
class Configuration:
    """An address and a token; `origin` says where they are from."""

    url: str
    token: str | None
    origin: str

    def claims(self) -> Mapping[str, Any]:
        """Return what a JWT says, unverified; nothing for an API key or something else."""
        parts = (self.token or "").split(".")
        if len(parts) != 3:
            return {}
        try:
            claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        except ValueError:
            return {}
        return claims if isinstance(claims, dict) else {}


def path() -> Path:
    """Return the file, in the place that the platform has for such."""
    return platformdirs.user_config_path("lambda-ms") / "config.json"


def load() -> Configuration:
    """Read the environment, then the file. Raises NotConfigured."""
    url, token = os.environ.get(URL_VARIABLE), os.environ.get(TOKEN_VARIABLE)
    if url:  # a token that was stored for another address is not sent to this one
        return Configuration(url, token, f"{URL_VARIABLE} and {TOKEN_VARIABLE}")
    try:
        stored = json.loads(path().read_text())
        return Configuration(str(stored["url"]), token or stored["token"], str(path()))
    except FileNotFoundError:
        raise NotConfigured(f"no service is known: `lambda-ms login URL`, or set {URL_VARIABLE}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotConfigured(
            f"{path()} cannot be read ({error}): `lambda-ms login URL` writes it anew"
        ) from error


def save(url: str, token: str) -> Path:
    """Write the file, readable for its owner alone. Return its path."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump({"url": url, "token": token}, stream)
    fresh.replace(file)
    return file
