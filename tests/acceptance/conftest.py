"""The service, as clients meet it: one that all tests share, and others to break."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, node_program: str, rust_toolchain: Path
) -> Iterator[Deployment]:
    with Deployment(tmp_path_factory.mktemp("service"), node_program, rust_toolchain) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def mended_service(
    tmp_path_factory: pytest.TempPathFactory, node_program: str, rust_toolchain: Path
) -> Iterator[Deployment]:
    with Deployment(tmp_path_factory.mktemp("mended-service"), node_program, rust_toolchain) as deployment:
        yield deployment


@pytest.fixture
def broken_service(mended_service: Deployment) -> Iterator[Deployment]:
    """One whose parts a test stops; they are started again for the next test of the module."""
    yield mended_service
    mended_service.mend()


@pytest.fixture
def own_service(
    tmp_path_factory: pytest.TempPathFactory, node_program: str, rust_toolchain: Path
) -> Iterator[Deployment]:
    """One whose parts a test replaces."""
    with Deployment(tmp_path_factory.mktemp("own-service"), node_program, rust_toolchain) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def jwt_secret(service: Deployment) -> str:
    return service.jwt_secret


@pytest.fixture
def client(service: Deployment) -> Client:
    return service.client()
