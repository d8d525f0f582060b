"""The Compose file, as Docker's own reader takes it, and the files that it mounts, each read by its own program."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.fetch.container_tools import ContainerTools, Unpacked
from local.fetch.go_programs import UnavailableError
from tests.conftest import ROOT, missing
from tests.integration.deploy.conftest import IMAGES, RUNTIMES
from tests.integration.deploy.dockerfile import read
from tools.compose_secrets import make

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "docker-compose.yml"
#: Those that write their configuration as they start.
WRITABLE = {"elasticsearch", "kibana"}
#: Seconds of a call that are not its script's, and of a server's own end: see local.settings and
#: local.supervisor.python_server.
AROUND_SCRIPT, CLOSING = 10, 3


@pytest.fixture(scope="module")
def reader(container_tools: ContainerTools) -> Path:
    try:
        return container_tools.compose()
    except UnavailableError as reason:
        missing(f"compose: {reason}")


@pytest.fixture(scope="module")
def project(reader: Path) -> dict[str, Any]:
    """What the file amounts to, with all profiles."""
    read_file = _asked(reader, COMPOSE)
    assert read_file.returncode == 0, read_file.stderr
    document: dict[str, Any] = json.loads(read_file.stdout)
    return document


@pytest.fixture(scope="module")
def services(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = project["services"]
    return found


@pytest.mark.parametrize(
    ("spoilt", "complaint"),
    [
        ({"read_onyl": True}, "read_onyl"),
        ({"networks": ["nowhere"]}, "nowhere"),
        ({"secrets": ["nobody-knows"]}, "nobody-knows"),
        ({"depends_on": ["somebody"]}, "somebody"),
    ],
)
def test_what_the_specification_does_not_know_is_refused(
    reader: Path, tmp_path: Path, spoilt: dict[str, Any], complaint: str
) -> None:
    document = yaml.safe_load(COMPOSE.read_text())
    document["services"]["redis"] |= spoilt
    (tmp_path / "docker-compose.yml").write_text(yaml.safe_dump(document))

    answer = _asked(reader, tmp_path / "docker-compose.yml")

    assert answer.returncode == 1
    assert complaint in answer.stderr


def test_every_service_is_confined_and_bounded(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service.get("read_only", False) is (name not in WRITABLE), name
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == (["DAC_READ_SEARCH"] if name == "filebeat" else []), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged") and "docker.sock" not in json.dumps(service), name
        assert {"mem_limit", "cpus", "pids_limit", "restart", "logging"} <= service.keys(), name


def test_runtimes_are_on_networks_without_a_way_out(
    project: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    on_it = {name for name, service in services.items() if "runtimes" in service["networks"]}

    assert on_it == {"controller", "runtime-ports", *(f"runtime-{language}" for language in RUNTIMES)}
    for language in RUNTIMES:
        assert services[f"runtime-{language}"]["networks"].keys() == {"runtimes", "runtime-metrics"}
    # Who reads their metrics is no way out either.
    assert {name for name, service in services.items() if "runtime-metrics" in service["networks"]} == {
        "prometheus",
        *(f"runtime-{language}" for language in RUNTIMES),
    }
    assert {name for name, network in project["networks"].items() if not network.get("internal")} == {"edge"}


def test_what_is_published_is_on_loopback_and_on_a_network_that_can_publish(
    services: dict[str, dict[str, Any]],
) -> None:
    published = {}
    for name, service in services.items():
        for port in service.get("ports", ()):
            assert (port["host_ip"], "edge" in service["networks"]) == ("127.0.0.1", True), name
            published[int(port["published"])] = name

    assert published == {
        8080: "controller",
        **dict.fromkeys((8081, 8082, 8083), "runtime-ports"),
        9090: "prometheus",
        3000: "grafana",
        5601: "kibana",
    }


def test_an_end_waits_for_the_longest_call_and_is_granted_the_time(
    services: dict[str, dict[str, Any]],
) -> None:
    longest = int(services["controller"]["environment"]["SCRIPT_TIMEOUT_MAX"]) / 1000
    for name in ("controller", *(f"runtime-{language}" for language in RUNTIMES)):
        graceful = int(services[name]["environment"]["GRACEFUL_TIMEOUT"])
        assert graceful >= longest + AROUND_SCRIPT + CLOSING, name
        assert _seconds(services[name]["stop_grace_period"]) > graceful, name


def test_who_needs_another_waits_until_it_is_healthy(services: dict[str, dict[str, Any]]) -> None:
    built = {f"runtime-{language}" for language in RUNTIMES} | {"controller"}
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other == "migration" else "service_healthy"
            assert how["condition"] == wanted, f"{name} on {other}"
            assert wanted != "service_healthy" or other in built or "healthcheck" in services[other], other
    assert services["controller"]["depends_on"].keys() == {
        "migration",
        "postgres",
        "redis",
        *built - {"controller"},
    }


def test_what_is_mounted_is_there(project: dict[str, Any], services: dict[str, dict[str, Any]]) -> None:
    binds = [
        Path(volume["source"])
        for service in services.values()
        for volume in service.get("volumes", ())
        if volume["type"] == "bind" and not volume["source"].startswith("/var/lib/docker")
    ]

    assert {path.name for path in binds if not path.exists()} == set()
    assert binds
    for name, secret in project["secrets"].items():
        assert Path(secret["file"]) == DEPLOY / "secrets" / name


def test_every_image_that_is_built_has_its_dockerfile_and_stage(services: dict[str, dict[str, Any]]) -> None:
    built = {name: service["build"] for name, service in services.items() if "build" in service}

    assert built.keys() == {"controller", "migration", *(f"runtime-{language}" for language in RUNTIMES)}
    for build in built.values():
        assert Path(build["context"]) == ROOT
        dockerfile = ROOT / build["dockerfile"]
        assert dockerfile.is_relative_to(IMAGES)
        assert build.get("target", "controller") in read(dockerfile)


def test_the_secrets_that_are_made_are_those_that_are_asked_for(
    project: dict[str, Any], tmp_path: Path
) -> None:
    made = make(tmp_path / "secrets")
    texts = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}

    assert set(made) == texts.keys() == project["secrets"].keys()
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert texts["postgres-password"] in texts["postgres-url"]
    password = texts["redis-url"].removeprefix("redis://:").removesuffix("@redis:6379")
    assert f">{password} " in texts["redis-users"]
    assert make(tmp_path / "secrets") == []
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == texts


def test_secrets_never_get_into_the_repository() -> None:
    asked = subprocess.run(
        ["git", "check-ignore", "--quiet", "deploy/secrets/jwt-secret"], cwd=ROOT, check=False
    )
    assert asked.returncode == 0


def test_prometheus_takes_its_configuration(container_tools: ContainerTools) -> None:
    answer = _checked(
        container_tools, "promtool", "check", "config", str(DEPLOY / "prometheus/prometheus.yml")
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_haproxy_takes_its_configuration(container_tools: ContainerTools) -> None:
    answer = _checked(container_tools, "haproxy", "-c", "-f", str(DEPLOY / "ports/haproxy.cfg"))

    assert answer.returncode == 0, answer.stdout + answer.stderr


def _checked(tools: ContainerTools, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    try:
        unpacked: Unpacked = getattr(tools, program)()
    except UnavailableError as reason:
        missing(f"{program}: {reason}")
    return subprocess.run(
        [str(unpacked.program), *arguments],
        env=os.environ | unpacked.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _asked(reader: Path, file: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(reader), str(file)], capture_output=True, text=True, timeout=60, check=False)


def _seconds(duration: str) -> int:
    """Of a duration as the reader writes it, such as 1m0s."""
    minutes, _, seconds = duration.rpartition("m")
    return 60 * int(minutes or 0) + int(seconds.removesuffix("s"))
