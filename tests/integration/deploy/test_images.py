"""The images: laid out by their Dockerfiles' own instructions, started by their own commands, and used."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from local.stores.postgres import PostgresServer
from local.stores.redis import RedisServer
from local.supervisor.account import Account
from tests.acceptance.client import Client
from tests.integration.deploy.conftest import RUNTIMES
from tests.integration.deploy.container import Container
from tests.integration.deploy.layout import Image
from tests.waiting import until

SECRETS = {"JWT_SECRET": "j" * 32, "RUNTIME_SECRET": "r" * 32}
SCRIPTS = {
    "nodejs": "module.exports = async (event) => event.params.a + event.params.b;",
    "python": "def handle(params):\n    return params['a'] + params['b']\n",
    "rust": """
        use serde_json::{Map, Value};
        pub fn handler(context: Map<String, Value>) -> Result<Value, String> {
            let params = &context["params"];
            Ok(Value::from(params["a"].as_i64().unwrap() + params["b"].as_i64().unwrap()))
        }
    """,
}
SLOW = "import time\ndef handle(params):\n    time.sleep(2)\n    return 'done'\n"
MODULES = ("controller", "runtime", "local", "tests")


@dataclass(frozen=True)
class Service:
    """Every image started: what a client meets, and each container by its image's name."""

    client: Client
    containers: dict[str, Container]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Empty: the migrations of the image are to fill it."""
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="module")
def files_before(images: dict[str, Image]) -> dict[str, dict[Path, int]]:
    return {name: _files(image) for name, image in images.items()}


@pytest.fixture(scope="module")
def service(
    images: dict[str, Image],
    files_before: dict[str, dict[Path, int]],
    account: Account,
    postgres: PostgresServer,
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    assert files_before.keys() == images.keys()
    logs = tmp_path_factory.mktemp("logs")
    with ExitStack() as stack:
        containers = {
            language: Container(images[language], account, logs / language, SECRETS | {"METRICS_PORT": "0"})
            for language in RUNTIMES
        }
        urls = ",".join(f"{language}={container.url}" for language, container in containers.items())
        variables = {
            **SECRETS,
            "POSTGRES_URL": postgres.url,
            "REDIS_URL": redis_server.url,
            "RUNTIME_URLS": urls,
            "METRICS_PORT": "0",
            "GRACEFUL_TIMEOUT": "20",
        }
        controller = Container(images["controller"], account, logs / "controller", variables)
        migration = controller.run("python", "-m", "controller.database.migrate")
        assert migration.returncode == 0, migration.stderr
        with ThreadPoolExecutor() as threads:
            list(threads.map(stack.enter_context, containers.values()))
        stack.enter_context(controller)
        yield Service(
            Client(controller.url, SECRETS["JWT_SECRET"], "compose"), {"controller": controller, **containers}
        )


@pytest.mark.parametrize("language", RUNTIMES)
def test_a_script_is_initialized_and_executed(service: Service, language: str) -> None:
    request_id = service.client.begin(f"{language}-sum", SCRIPTS[language])

    assert service.client.result(request_id, {"a": 2, "b": 40}) == 42


def test_the_samples_were_registered_by_the_migration(service: Service) -> None:
    request_id = service.client.begin("python-text_processor")

    assert service.client.session(request_id).json()["status"] == "active"


def test_the_health_check_tells_a_server_that_answers_from_one_that_does_not(
    service: Service, account: Account, tmp_path: Path
) -> None:
    never_started = {
        name: Container(container.image, account, tmp_path / name, {})
        for name, container in service.containers.items()
    }

    assert all(container.healthy() for container in service.containers.values())
    assert not any(container.healthy() for container in never_started.values())


def test_an_image_has_the_one_library_it_runs(service: Service) -> None:
    found = {
        name: {
            module for module in MODULES if container.run("python", "-c", f"import {module}").returncode == 0
        }
        for name, container in service.containers.items()
    }

    assert found == {"controller": {"controller"}, **{language: {"runtime"} for language in RUNTIMES}}


def test_nothing_is_written_but_to_the_state(
    service: Service, files_before: dict[str, dict[Path, int]]
) -> None:
    for language in RUNTIMES:
        request_id = service.client.begin(f"{language}-sum", SCRIPTS[language])
        service.client.result(request_id, {"a": 1, "b": 1})

    after = {name: _files(container.image) for name, container in service.containers.items()}
    written = {
        (name, path.relative_to(service.containers[name].image.folder))
        for name, files in after.items()
        for path, _ in files.items() ^ files_before[name].items()
    }

    assert written == set()


def test_images_say_who_runs_them_how_and_what_they_are(images: dict[str, Image]) -> None:
    for name, image in images.items():
        assert image.user == "1000:1000", name
        assert image.command[0] == "gunicorn" and image.healthcheck[0] == "python", name
        assert {"title", "description", "vendor"} == {label.rpartition(".")[2] for label in image.labels}
        assert "8080" in image.ports


def test_what_runs_is_answered_when_the_controller_is_told_to_end(service: Service) -> None:
    """Last of those that use the service: its controller is gone afterwards."""
    controller, runtime = service.containers["controller"], service.containers["python"]
    slow = service.client.begin("python-slow", SLOW)
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(service.client.again().execute, slow)
        until(lambda: _at_work(runtime), "the script runs")
        status = controller.stop()
        answer = call.result()

    assert (status, answer.status_code, answer.json()["result"]) == (0, 200, "done")


def _files(image: Image) -> dict[Path, int]:
    """Every file outside the state, and when it was written. Compiled modules come with an image, but not here."""
    state = image.place("/srv/state")
    paths = (path for path in image.folder.rglob("*") if path.is_file() and not path.is_relative_to(state))
    return {path: path.stat().st_mtime_ns for path in paths if path.suffix != ".pyc"}


def _at_work(runtime: Container) -> bool:
    workers = requests.get(f"{runtime.url}/health", timeout=10).json()["workers"]
    return bool(workers["busy"])
