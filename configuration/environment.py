"""Where a variable's text comes from."""

import os
from pathlib import Path

from environs import FileAwareEnv

from configuration.errors import UnusableSetting

#: Where the platform mounts secrets: `jwt-secret` is JWT_SECRET.
SECRETS = Path("/var/openfaas/secrets")


class Environment:
    """The texts of all variables. Sources of NAME, the first one that has it wins:

    1. the platform's secret, if the process environment has neither NAME nor NAME_FILE
    2. the file that NAME_FILE names
    3. the process environment
    4. the file of defaults

    Args:
        dotenv: a file of defaults, such as the checkout's `.env`; it may be missing.
        secrets: the platform's folder of secrets.
    """

    def __init__(self, dotenv: Path | None = None, secrets: Path | None = None) -> None:
        self._secrets = secrets
        self._env = FileAwareEnv(strip_whitespace=True)
        if dotenv is not None and dotenv.is_file():
            try:
                self._env.read_env(dotenv, recurse=False)
            except (OSError, ValueError) as error:
                raise UnusableSetting(f"{dotenv}: cannot be read") from error

    def get(self, name: str) -> str | None:
        """The text of a variable, None without one. Raises UnusableSetting for a file that cannot be read."""
        secret = self._secret(name)
        try:
            text: str | None = secret.read_text().strip() if secret else self._env.str(name, None)
        except (OSError, ValueError) as error:
            file = secret or f"that {name}_FILE names"
            raise UnusableSetting(f"{name}: the file {file} cannot be read") from error
        return text

    def require(self, name: str) -> str:
        """The text of a variable. Raises UnusableSetting without one."""
        text = self.get(name)
        if text is None:
            raise UnusableSetting(f"{name}: not set, and there is no default")
        return text

    def _secret(self, name: str) -> Path | None:
        if self._secrets is None or {name, f"{name}_FILE"} & os.environ.keys():
            return None
        file = self._secrets / name.lower().replace("_", "-")
        return file if file.is_file() else None
