"""The runtimes of the interpreted languages, each behind its real server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.runtime.interpreted.served import Server

Serve = Callable[..., Server]


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The Python runtime that all tests share."""
    with Server("python", tmp_path_factory.mktemp("python"), {}) as server:
        yield server


@pytest.fixture(scope="session")
def nodejs(tmp_path_factory: pytest.TempPathFactory, node_program: str) -> Iterator[Server]:
    """The Node.js runtime that all tests share."""
    with Server("nodejs", tmp_path_factory.mktemp("nodejs"), {"NODE": node_program}) as server:
        yield server


@pytest.fixture(params=["python", "nodejs"])
def runtime(request: pytest.FixtureRequest) -> Server:
    """Each of the two runtimes in turn."""
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts Python runtimes with other settings."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Server("python", tmp_path, settings))
