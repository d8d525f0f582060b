"""The Compose file: what its specification allows, what it amounts to, and the files that it mounts."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from local.fetch.debian_program import PackagesError, debian_program
from tests.conftest import ROOT, missing
from tests.integration.deploy import compose
from tools.compose_secrets import make

DEPLOY = ROOT / "deploy"
#: Those that write their configuration as they start.
WRITABLE = {"elasticsearch", "kibana"}
RUNTIMES = {"runtime-nodejs", "runtime-python", "runtime-rust"}
CONTROLLERS = {"initialize", "execute", "sessions", "functions", "health"}
FUNCTIONS = {*CONTROLLERS, *RUNTIMES, "packages"}
#: Seconds after which an end is over: the watchdog's delay with what is added to it, and a function's last steps.
ADDED_DELAY, LAST_STEPS = 1, 3
#: Variables of functions that differ between one machine and a cluster.
OF_ONE_MACHINE = {
    "RUNTIME_URLS",
    "PACKAGES_URL",
    "SPOOL_DIR",
    "SPOOL_MAX_BYTES",
    "STATE_DIR",
    "WORKERS_MAX",
    "LOG_FORMAT",
}


@pytest.fixture(scope="module")
def project() -> compose.Document:
    """What the file amounts to, with all profiles."""
    return compose.project(compose.FILE, {})


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

    assert on_it == {"gateway"} | CONTROLLERS | RUNTIMES
    for name in RUNTIMES:
        assert services[name]["networks"].keys() == {"runtimes", "runtime-metrics"}
    # Who reads their metrics is no way out either.
    assert {name for name, service in services.items() if "runtime-metrics" in service["networks"]} == {
        "prometheus",
        *RUNTIMES,
    }
    ways_out = {name for name, network in project["networks"].items() if not network.get("internal")}
    assert ways_out == {"edge", "registries"}


def test_what_installs_packages_reaches_registries_and_is_reached_by_controllers(
    services: dict[str, compose.Document],
) -> None:
    on_it = {name for name, service in services.items() if "packages" in service["networks"]}

    assert on_it == {"packages", "prometheus", *CONTROLLERS}
    assert services["packages"]["networks"].keys() == {"packages", "registries"}
    assert {name for name, service in services.items() if "registries" in service["networks"]} == {"packages"}
    assert services["packages"]["secrets"] == ["packages-secret"]


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
        **dict.fromkeys((8080, 8081, 8082, 8083), "gateway"),
        9090: "prometheus",
        3000: "grafana",
        5601: "kibana",
    }


def test_an_end_is_granted_the_time_that_it_takes(services: dict[str, compose.Document]) -> None:
    for name in FUNCTIONS:
        limits = services[name]["environment"]
        delay = _seconds(limits["healthcheck_interval"]) + ADDED_DELAY
        longest = delay + _seconds(limits["exec_timeout"]) + LAST_STEPS
        assert _seconds(services[name]["stop_grace_period"]) > longest, name
    longest = max(_seconds(services[name]["environment"]["write_timeout"]) for name in CONTROLLERS)
    assert _seconds(services["gateway"]["stop_grace_period"]) > longest


def test_a_service_waits_until_those_it_needs_are_healthy(services: dict[str, compose.Document]) -> None:
    """The functions' images have health checks of their own."""
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other == "migration" else "service_healthy"
            assert how["condition"] == wanted, f"{name} on {other}"
            checked = other in FUNCTIONS or "healthcheck" in services[other]
            assert wanted != "service_healthy" or checked, other
    assert services["gateway"]["depends_on"].keys() == CONTROLLERS
    for name in CONTROLLERS:
        assert services[name]["depends_on"].keys() == {"migration", "postgres", "redis"} | RUNTIMES


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


@pytest.fixture(scope="module")
def functions() -> dict[str, compose.Document]:
    """What stack.yml deploys, with the same defaults of its variables."""
    stack = compose.filled(ROOT / "stack.yml", {})["functions"]
    assert stack.keys() == FUNCTIONS
    found: dict[str, compose.Document] = stack
    return found


def test_the_functions_are_those_of_the_stack_file(
    services: dict[str, compose.Document], functions: dict[str, compose.Document]
) -> None:
    for name, function in functions.items():
        service = services[name]
        assert (service["image"], service["pull_policy"]) == (function["image"], "never"), name
        assert set(service["secrets"]) == set(function["secrets"]), name
        differing = service["environment"].items() ^ function["environment"].items()
        differing_names = {variable for variable, _ in differing}
        files = {variable for variable in differing_names if variable.endswith("_FILE")}
        assert differing_names - files <= OF_ONE_MACHINE, name
        for variable in files:
            mounted, deployed = service["environment"][variable], function["environment"][variable]
            assert Path(mounted).name == Path(deployed).name and mounted.startswith("/run/secrets/")
    assert services["migration"]["image"] == functions["initialize"]["image"]


def test_registry_and_tag_choose_the_images_as_for_the_stack_file() -> None:
    variables = {"REGISTRY": "registry.example.com/lambda", "TAG": "2.0.0"}
    services = compose.project(compose.FILE, variables)["services"]
    for name, function in compose.filled(ROOT / "stack.yml", variables)["functions"].items():
        assert services[name]["image"] == function["image"] == f"registry.example.com/lambda/{name}:2.0.0"


def test_what_is_kept_is_where_the_image_has_a_folder_for_it(services: dict[str, compose.Document]) -> None:
    """A volume takes over the owner of the folder that the image has there; tests of the image look at it."""
    volumes = [services[name]["volumes"] for name in FUNCTIONS]

    assert {volume.partition(":")[2] for [volume] in volumes} == {"/srv/state"}
    assert len({volume for [volume] in volumes}) == len(volumes)


def test_prometheus_asks_every_function(services: dict[str, compose.Document]) -> None:
    jobs = compose.filled(DEPLOY / "prometheus" / "prometheus.yml", {})["scrape_configs"]
    targets = {target for job in jobs for config in job["static_configs"] for target in config["targets"]}
    ports = {f"{name}:{services[name]['environment']['METRICS_PORT']}" for name in FUNCTIONS}

    assert ports < targets


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
        ("haproxy", "haproxy", ["-c", "-f"], "gateway/haproxy.cfg"),
    ],
)
def test_a_program_takes_its_configuration(
    program: str, package: str, arguments: list[str], file: str
) -> None:
    try:
        found = debian_program(program, package, ROOT / ".local" / package)
    except PackagesError as reason:
        missing(f"no {program}", reason)
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
