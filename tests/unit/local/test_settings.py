"""Ports, and the variables that are handed on."""

import re
import socket
from pathlib import Path

import pytest
from environs import EnvError

from configuration.variable import variables
from controller.settings import Settings as ControllerSettings
from local.settings import (
    CONTROLLER_VARIABLES,
    PACKAGES_VARIABLES,
    PORTS,
    RUNTIME_VARIABLES,
    PortsInUse,
    Settings,
)
from local.state import ROOT
from local.supervisor.ports import LOOPBACK, free_port
from runtime.installer.settings import Settings as PackagesSettings
from runtime.settings import Settings as RuntimeSettings

#: What the parts are told by us and no user chooses.
TOLD = {
    "REDIS_URL",
    "POSTGRES_URL",
    "JWT_SECRET",
    "RUNTIME_SECRET",
    "PACKAGES_URL",
    "PACKAGES_SECRET",
    "METRICS_PORT",
    "RUNTIME_URLS",
    "RUNTIME_FRAMES",
    "STATE_DIR",
    "SPOOL_DIR",
    "NODE",
    "RUST_TOOLCHAIN",
}


def settings(**ports: int) -> Settings:
    return Settings({name: free_port() for name in PORTS} | ports, {}, {})


def test_free_ports_pass() -> None:
    assert settings().check_ports() is None  # type: ignore[func-returns-value]


def test_a_used_port_gets_one_line_with_its_remedy() -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(PortsInUse) as refusal:
            settings(PORT=port).check_ports()
    expected = f"port {port} (the controller) is in use; choose another: make run PORT=..."
    assert str(refusal.value).splitlines() == [expected]


def test_one_port_for_two_parts_is_refused() -> None:
    port = free_port()
    with pytest.raises(PortsInUse, match=f"PORT={port} is given to another part too"):
        settings(PORT=port, REDIS_PORT=port).check_ports()


def test_a_bad_port_names_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REDIS_PORT", "many")
    with pytest.raises(EnvError, match="REDIS_PORT"):
        Settings.from_environment(tmp_path / "absent")


def test_an_end_waits_longer_than_the_longest_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SCRIPT_TIMEOUT_MAX", "60000")
    assert Settings.from_environment(tmp_path / "absent").grace > 60
    monkeypatch.setenv("SCRIPT_TIMEOUT_MAX", "long")
    with pytest.raises(EnvError, match="SCRIPT_TIMEOUT_MAX"):
        Settings.from_environment(tmp_path / "absent")


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PORT", "CACHE_TTL"):
        # Set first, so that what reading the file adds is taken back after the test.
        monkeypatch.setenv(name, "0")
        monkeypatch.delenv(name)
    monkeypatch.setenv("SESSION_TTL", "5")
    file = tmp_path / ".env"
    file.write_text("PORT=9999\nCACHE_TTL=7  # seconds\nSESSION_TTL=6\n")
    chosen = Settings.from_environment(file)
    assert chosen.ports["PORT"] == 9999
    assert chosen.controller["CACHE_TTL"] == "7"
    assert chosen.controller["SESSION_TTL"] == "5"


@pytest.mark.parametrize(
    ("part", "handed_on"),
    [
        (ControllerSettings, CONTROLLER_VARIABLES),
        (RuntimeSettings, RUNTIME_VARIABLES),
        (PackagesSettings, PACKAGES_VARIABLES),
    ],
)
def test_every_variable_a_part_reads_can_be_chosen(
    part: type[ControllerSettings | RuntimeSettings], handed_on: tuple[str, ...]
) -> None:
    assert {variable.name for variable in variables(part)} - TOLD == set(handed_on)


def test_the_example_names_all_of_them() -> None:
    named = set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named == {*PORTS, *CONTROLLER_VARIABLES, *RUNTIME_VARIABLES, *PACKAGES_VARIABLES}


def test_the_variables_of_tracing_go_to_all_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")

    chosen = Settings.from_environment(tmp_path / "absent")

    assert chosen.controller["OTEL_TRACES_EXPORTER"] == chosen.runtime["OTEL_TRACES_EXPORTER"] == "otlp"
