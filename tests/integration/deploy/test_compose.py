"""The Compose file: what its specification allows, what it amounts to, and the files that it mounts."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from local.fetch.debian_packages import PackagesError
from local.fetch.debian_program import debian_program
from tests.conftest import ROOT, missing
from tests.integration.deploy import compose
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
def project() -> compose.Document:
    """What the file amounts to, with all profiles."""
    return compose.project(COMPOSE, {})


@pytest.fixture(scope="module")
def services(project: compose.Document) -> dict[str, compose.Document]:
    found: dict[str, compose.Document] = project["services"]
    return found


def test_the_specification_allows_all_of_it(project: compose.Document, tmp_path: Path) -> None:
    assert compose.mistakes(project, tmp_path) == []


@pytest.mark.parametrize(
    ("spoilt", "complaint"),
    [
        ({"read_onyl": True}, "read_onyl"),
        ({"networks": ["nowhere"]}, "nowhere"),
        ({"secrets": ["unknown-secret"]}, "unknown-secret"),
        ({"depends_on": ["missing"]}, "missing"),
        ({"volumes": ["lost:/data"]}, "lost"),
    ],
)
def test_what_the_specification_does_not_know_is_refused(
    project: compose.Document, tmp_path: Path, spoilt: compose.Document, complaint: str
) -> None:
    services = project["services"]
    document = project | {"services": services | {"redis": services["redis"] | spoilt}}

    [mistake] = compose.mistakes(document, tmp_path)

    assert complaint in mistake


def test_every_service_is_confined_and_bounded(services: dict[str, compose.Document]) -> None:
    for name, service in services.items():
        assert service.get("read_only", False) is (name not in WRITABLE), name
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == (["DAC_READ_SEARCH"] if name == "filebeat" else []), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged") and "docker.sock" not in json.dumps(service), name
        assert {"mem_limit", "cpus", "pids_limit", "restart", "logging"} <= service.keys(), name


def test_runtimes_are_on_networks_without_a_way_out(
    project: compose.Document, services: dict[str, compose.Document]
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
    services: dict[str, compose.Document],
) -> None:
    published = {}
    for name, service in services.items():
        for port in service.get("ports", ()):
            address, outer, inner = port.split(":")
            assert (address, inner, "edge" in service["networks"]) == ("127.0.0.1", outer, True), name
            published[int(outer)] = name

    assert published == {
        8080: "controller",
        **dict.fromkeys((8081, 8082, 8083), "runtime-ports"),
        9090: "prometheus",
        3000: "grafana",
        5601: "kibana",
    }


def test_an_end_waits_for_the_longest_call_and_is_granted_the_time(
    services: dict[str, compose.Document],
) -> None:
    longest = int(services["controller"]["environment"]["SCRIPT_TIMEOUT_MAX"]) / 1000
    for name in ("controller", *(f"runtime-{language}" for language in RUNTIMES)):
        graceful = int(services[name]["environment"]["GRACEFUL_TIMEOUT"])
        assert graceful >= longest + AROUND_SCRIPT + CLOSING, name
        assert _seconds(services[name]["stop_grace_period"]) > graceful, name


def test_who_needs_another_waits_until_it_is_healthy(services: dict[str, compose.Document]) -> None:
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


def test_what_is_mounted_is_there(project: compose.Document, services: dict[str, compose.Document]) -> None:
    binds = [
        DEPLOY / path
        for service in services.values()
        for path in compose.bind_mounts(service)
        if not path.is_relative_to("/var/lib/docker")
    ]

    assert {path.name for path in binds if not path.exists()} == set()
    assert binds
    for name, secret in project["secrets"].items():
        assert secret["file"] == f"secrets/{name}"


def test_every_image_that_is_built_has_its_dockerfile_and_stage(
    services: dict[str, compose.Document],
) -> None:
    built = {name: service["build"] for name, service in services.items() if "build" in service}

    assert built.keys() == {"controller", "migration", *(f"runtime-{language}" for language in RUNTIMES)}
    for build in built.values():
        assert (DEPLOY / build["context"]).resolve() == ROOT
        dockerfile = ROOT / build["dockerfile"]
        assert dockerfile.is_relative_to(IMAGES)
        assert build.get("target", "controller") in read(dockerfile)


def test_the_secrets_that_are_made_are_those_that_are_asked_for(
    project: compose.Document, tmp_path: Path
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


@pytest.mark.parametrize(
    ("program", "package", "arguments", "file"),
    [
        ("promtool", "prometheus", ["check", "config"], "prometheus/prometheus.yml"),
        ("haproxy", "haproxy", ["-c", "-f"], "ports/haproxy.cfg"),
    ],
)
def test_a_program_takes_its_configuration(
    program: str, package: str, arguments: list[str], file: str
) -> None:
    try:
        found = debian_program(program, package, ROOT / ".local" / package)
    except PackagesError as reason:
        missing(f"{program}: {reason}")
    done = subprocess.run(
        [found.path, *arguments, DEPLOY / file],
        env=os.environ | found.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def _seconds(duration: str) -> int:
    """Of a duration in seconds, such as 60s."""
    return int(duration.removesuffix("s"))
