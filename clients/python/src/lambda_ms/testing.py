"""A pytest plugin: a service for a user's own tests.

`lambda_client` is a client of a service that runs while the tests do. It is started from a checkout of the service,
which `lambda_ms_checkout` in pytest's configuration or the variable LAMBDA_MS_CHECKOUT names. Where LAMBDA_MS_URL and
LAMBDA_MS_TOKEN name a running service, that one is used, and nothing is started.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from lambda_ms.client import Client

_CHECKOUT = "LAMBDA_MS_CHECKOUT"
_READY = re.compile(r"^ready at (\S+) ")
_TOKEN = re.compile(r"^(ey[\w-]+\.[\w-]+\.[\w-]+)$")


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    token: str


class ServiceNotStarted(Exception):
    """The service ended before it was ready. The message is what it said."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option in pytest's configuration."""
    parser.addini("lambda_ms_checkout", f"a checkout of lambda-microservice; or the variable {_CHECKOUT}")


@pytest.fixture(scope="session")
def lambda_service(pytestconfig: pytest.Config) -> Iterator[Service]:
    """A service that runs while the tests do. Skips where none is named."""
    url, token = os.environ.get("LAMBDA_MS_URL"), os.environ.get("LAMBDA_MS_TOKEN")
    if url and token:
        yield Service(url, token)
        return
    checkout = os.environ.get(_CHECKOUT) or pytestconfig.getini("lambda_ms_checkout")
    if not checkout:
        pytest.skip(f"no service: set {_CHECKOUT} or lambda_ms_checkout to a checkout of lambda-microservice")
    with service(Path(checkout)) as started:
        yield started


@pytest.fixture(scope="session")
def lambda_client(lambda_service: Service) -> "Iterator[Client]":
    """A client of that service."""
    from lambda_ms.client import Client  # noqa: PLC0415 - a run of tests that need no service pays nothing

    with Client(lambda_service.url, lambda_service.token) as client:
        yield client


@contextmanager
def service(checkout: Path) -> Iterator[Service]:
    """Start a service of a checkout, on free ports and with its own data, and end it afterwards.

    Raises:
        ServiceNotStarted: it did not become ready.
    """
    python = checkout.absolute() / ".local" / "venv" / "bin" / "python"
    if not python.exists():
        making = ["make", "-s", "environment"]
        made = subprocess.run(making, cwd=checkout, capture_output=True, text=True, check=False)
        if made.returncode:
            raise ServiceNotStarted(made.stdout + made.stderr)
    process = subprocess.Popen(
        [python, "-m", "local.temporary"],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C is for the tests, which end it in their order
    )
    try:
        yield _ready(cast("IO[str]", process.stdout))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


def _ready(output: IO[str]) -> Service:
    """Wait for the address and the token that a start prints."""
    said, url = [], ""
    for line in output:
        said.append(line)
        if found := _READY.match(line):
            url = found[1]
        elif url and (found := _TOKEN.match(line)):
            return Service(url, found[1])
    raise ServiceNotStarted("".join(said))
