"""The secrets that deploy/docker-compose.yml names: `python -m tools.compose_secrets`, or `make compose-secrets`.

Made in `deploy/secrets`, where there is none yet; what is there stays. The folder is closed to other accounts of this
machine; its files can be read by all, because Compose mounts them as they are, for processes that are somebody else.
"""

import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from local.state import ROOT

FOLDER = ROOT / "deploy" / "secrets"
BYTES = 32

#: Each secret by its file, made of those before it.
MADE: dict[str, Callable[[dict[str, str]], str]] = {
    "jwt-secret": lambda _: secrets.token_urlsafe(BYTES),
    "runtime-secret": lambda _: secrets.token_urlsafe(BYTES),
    "packages-secret": lambda _: secrets.token_urlsafe(BYTES),
    "grafana-password": lambda _: secrets.token_urlsafe(BYTES),
    "grafana-postgres-password": lambda _: secrets.token_urlsafe(BYTES),
    "postgres-password": lambda _: secrets.token_urlsafe(BYTES),
    "postgres-url": lambda made: f"postgres://controller:{made['postgres-password']}@postgres:5432/logs",
    "redis-url": lambda _: f"redis://:{secrets.token_urlsafe(BYTES)}@redis:6379",
    "redis-users": lambda made: f"user default on >{_password(made['redis-url'])} ~* &* +@all\n",
}


def make(folder: Path) -> list[str]:
    """Make what is missing; returns the names of what was made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    known: dict[str, str] = {}
    made = []
    for name, value in MADE.items():
        file = folder / name
        if not file.exists():
            file.write_text(value(known))
            file.chmod(0o444)
            made.append(name)
        known[name] = file.read_text()
    return made


def _password(url: str) -> str:
    return url.removeprefix("redis://:").partition("@")[0]


def main() -> int:
    made = make(FOLDER)
    print(f"made {', '.join(made)}" if made else "nothing is missing", f"in {FOLDER.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
