"""The sources of a variable's text: secrets, files, the process environment, a file of defaults."""

import os
from pathlib import Path

from environs import FileAwareEnv

from configuration.errors import UnusableSetting

#: The folder where the platform mounts secrets. The file `jwt-secret` has JWT_SECRET.
SECRETS = Path("/var/openfaas/secrets")


class Environment:
    """The texts of all variables.

    The first of these sources that has NAME is used:

    1. the platform's secret, if the process environment has neither NAME nor NAME_FILE
    2. the file that NAME_FILE names
    3. the process environment
    4. the file of defaults

    Args:
        dotenv: A file of defaults, such as `.env` in the checkout. It may be missing.
        secrets: The platform's folder of secrets.

    Raises:
        UnusableSetting: The file of defaults cannot be read.
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
        """Return the text of a variable, or None if no source has it.

        Raises:
            UnusableSetting: A file cannot be read.
        """
        secret = self._secret(name)
        try:
            text: str | None = secret.read_text().strip() if secret else self._env.str(name, None)
        except (OSError, ValueError) as error:
            file = secret or f"that {name}_FILE names"
            raise UnusableSetting(f"{name}: the file {file} cannot be read") from error
        return text

    def require(self, name: str) -> str:
        """Return the text of a variable.

        Raises:
            UnusableSetting: No source has it, or a file cannot be read.
        """
        text = self.get(name)
        if text is None:
            raise UnusableSetting(f"{name}: not set, and there is no default")
        return text

    def _secret(self, name: str) -> Path | None:
        if self._secrets is None or {name, f"{name}_FILE"} & os.environ.keys():
            return None
        file = self._secrets / name.lower().replace("_", "-")
        return file if file.is_file() else None
