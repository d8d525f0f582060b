"""Runtimes that tests share, one of each language."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from runtime.settings import MEBIBYTE, Settings
from tests.integration.runtime.served import ServedRuntime


@pytest.fixture(scope="session")
def runtime_settings(tmp_path_factory: pytest.TempPathFactory, node_program: str) -> Settings:
    """The defaults, but for limits that are quicker to reach."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNTIME_SECRET", "integration-test-secret")
        patch.setenv("STATE_DIR", str(tmp_path_factory.mktemp("runtime-state")))
        patch.setenv("NODE", node_program)
        settings = Settings.from_environment()
    return replace(
        settings,
        memory_max_bytes=96 * MEBIBYTE,
        files_max_bytes=8 * MEBIBYTE,
        result_max_bytes=MEBIBYTE,
        output_max_bytes=4096,
    )


@pytest.fixture(scope="session", params=["python", "nodejs"])
def interpreter(request: pytest.FixtureRequest, runtime_settings: Settings) -> Iterator[ServedRuntime]:
    """The runtime of each interpreted language in turn."""
    with ServedRuntime(request.param, runtime_settings) as runtime:
        yield runtime
