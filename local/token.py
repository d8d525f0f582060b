"""A development token for the service on this machine: `python -m local.token`, or `make token SUB=alice`."""

import argparse
import sys
import time
from pathlib import Path

import jwt

from local.state import ROOT, State

SUBJECT = "dev"
SCOPE = "execute:all read:functions"
DAY = 86_400


def token(secret: str, subject: str = SUBJECT, scope: str = SCOPE, ttl: int = DAY) -> str:
    """A signed token of `subject` that is valid for `ttl` seconds."""
    now = int(time.time())
    claims = {"sub": subject, "scope": scope, "iat": now, "exp": now + ttl}
    return jwt.encode(claims, secret, algorithm="HS256")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.token", description=__doc__)
    parser.add_argument("--subject", default=SUBJECT, help="whose token it is")
    parser.add_argument("--scope", default=SCOPE, help="what it allows, separated by spaces")
    parser.add_argument("--ttl", type=int, default=DAY, help="seconds it is valid")
    parser.add_argument("--state", type=Path, default=ROOT / ".local")
    arguments = parser.parse_args()
    secret = State(arguments.state).secret("JWT_SECRET")
    print(token(secret, arguments.subject, arguments.scope, arguments.ttl))
    return 0


if __name__ == "__main__":
    sys.exit(main())
