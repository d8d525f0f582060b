"""The service, as clients meet it: one that all tests share, and others to break."""

import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment

#: Of a user who may do everything.
SCOPES = "execute:all read:functions keys"


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, node_program: str, rust_toolchain: Path
) -> Iterator[Deployment]:
    with Deployment(tmp_path_factory.mktemp("service"), node_program, rust_toolchain) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def mended_service(
    tmp_path_factory: pytest.TempPathFactory, node_program: str, rust_toolchain: Path
) -> Iterator[Deployment]:
    with Deployment(tmp_path_factory.mktemp("mended-service"), node_program, rust_toolchain) as deployment:
        yield deployment


@pytest.fixture
def broken_service(mended_service: Deployment) -> Iterator[Deployment]:
    """One whose parts a test stops; they are started again for the next test."""
    yield mended_service
    mended_service.mend()


@pytest.fixture(scope="session")
def other_url(mended_service: Deployment) -> Iterator[str]:
    """The address of a second controller beside it."""
    with mended_service.another_controller() as url:
        yield url


@pytest.fixture
def own_service(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    node_program: str,
    rust_toolchain: Path,
) -> Iterator[Deployment]:
    """One whose parts a test replaces, with a Python runtime or with those of its parameter."""
    languages = getattr(request, "param", ["python"])
    folder = tmp_path_factory.mktemp("own-service")
    with Deployment(folder, node_program, rust_toolchain, languages=languages) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def jwt_secret(service: Deployment) -> str:
    return service.jwt_secret


@pytest.fixture
def client(service: Deployment) -> Client:
    return service.client()


@pytest.fixture
def expired_token(service: Deployment) -> str:
    claims = {"sub": "late", "scope": SCOPES, "exp": time.time() - 3600}
    return jwt.encode(claims, service.jwt_secret, algorithm="HS256")
