"""The function `packages`, and a registry for each test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from configuration.errors import UnusableSetting
from runtime.installer.settings import Settings
from tests.conftest import missing
from tests.integration.runtime.installer.registry import Registry, served
from tests.integration.runtime.installer.served import ServedInstaller

Start = Callable[..., ServedInstaller]


@pytest.fixture(scope="session")
def installer_settings(tmp_path_factory: pytest.TempPathFactory, node_program: str) -> Settings:
    """The default settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PACKAGES_SECRET", "integration-test-secret")
        patch.setenv("STATE_DIR", str(tmp_path_factory.mktemp("installer-state")))
        patch.setenv("METRICS_PORT", "0")
        patch.setenv("NODE", node_program)
        settings = Settings.from_environment()
    try:
        settings.uv_program()
    except UnusableSetting as reason:
        missing("no uv", reason)
    return settings


@pytest.fixture
def registry() -> Iterator[Registry]:
    with served() as one:
        yield one


@pytest.fixture
def start(installer_settings: Settings, registry: Registry) -> Iterator[Start]:
    """Starts the function with changed settings. Its registries are the test's."""
    with ExitStack() as started:

        def make(**changes: Any) -> ServedInstaller:
            urls = {"index_url": f"{registry.url}/simple", "npm_registry_url": registry.url}
            return started.enter_context(ServedInstaller(installer_settings, **{**urls, **changes}))

        yield make


@pytest.fixture
def installer(start: Start) -> ServedInstaller:
    return start()
