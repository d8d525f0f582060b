"""Where settings come from."""

import os
from pathlib import Path
from typing import Any

from environs import FileAwareEnv

SECRETS = Path("/var/openfaas/secrets")
"""Where the platform mounts secrets: `jwt-secret` is JWT_SECRET."""


class Environment(FileAwareEnv):
    """The process environment; for what is not there the file that `<NAME>_FILE` names, or the platform's secret.

    Args:
        secrets: the platform's folder.
    """

    def __init__(self, secrets: Path = SECRETS) -> None:
        super().__init__(strip_whitespace=True)
        self._secrets = secrets

    def _get_value(self, env_key: str, default: Any) -> Any:
        secret = self._secrets / env_key.lower().replace("_", "-")
        if not {env_key, f"{env_key}_FILE"} & os.environ.keys() and secret.is_file():
            return secret.read_text().strip()
        return super()._get_value(env_key, default)
