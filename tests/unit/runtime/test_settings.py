"""Settings of a runtime: defaults, and errors that say what is accepted."""

import tempfile
from pathlib import Path

import pytest

from configuration.errors import UnusableSetting
from configuration.variable import variables
from runtime.sandbox import confine
from runtime.settings import MEBIBYTE, Settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable in variables(Settings):
        monkeypatch.delenv(variable.name, raising=False)
        monkeypatch.delenv(f"{variable.name}_FILE", raising=False)
    monkeypatch.setenv("RUNTIME_SECRET", "r" * 16)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_the_defaults_work_on_one_machine() -> None:
    settings = Settings.from_environment()
    assert settings.state == Path(tempfile.gettempdir()) / "lambda-microservice"
    assert (settings.workers_max, settings.workers_per_script_max, settings.reserve) == (16, 8, 4)
    assert (settings.queue_timeout, settings.queue_max, settings.worker_idle_ttl) == (5000, 1000, 600.0)
    assert settings.memory_max_bytes == 256 * MEBIBYTE
    assert (settings.network, settings.packages, settings.rust_toolchain) == (False, (), None)
    assert settings.isolation_required == confine.required_layers()


def test_folders_of_packages_are_resolved(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "link").symlink_to("packages")
    environment.setenv("PACKAGES", str(tmp_path / "link"))
    assert Settings.from_environment().packages == (str((tmp_path / "packages").resolve()),)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("WORKERS_MAX", "0", "'0' is not a whole number of at least 1"),
        ("OUTPUT_MAX_BYTES", "1", "'1' is not a whole number of at least 2"),
        ("WORKER_IDLE_TTL", "0", "'0' is not a number of at least 0.001"),
        ("NETWORK", "perhaps", "'perhaps' is not true or false"),
        ("PACKAGES", "/,/absent", "'/absent' is not an existing folder"),
        ("METRICS_PORT", "65536", "'65536' is not a whole number from 0 to 65535"),
        ("LOG_LEVEL", "loud", "'loud' is not one of debug, info, warning, error"),
        ("RUNTIME_SECRET", "short", "the value is not a text of at least 16 characters"),
    ],
)
def test_the_error_says_what_is_accepted(
    environment: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(UnusableSetting) as refused:
        Settings.from_environment()
    assert str(refused.value) == f"{name}: {message}"
