"""stack.yml and the template by the real faas-cli, and a function made from it: its events and responses."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from local.fetch.openfaas_tools import Tools
from tests.conftest import missing
from tests.integration.openfaas.build import ROOT, TEMPLATE, Build
from tests.integration.openfaas.conftest import GENERIC
from tests.integration.openfaas.served import Serve, Served
from tests.waiting import until

CONTROLLER = {"initialize", "execute", "sessions", "functions", "health"}
RUNTIMES = {"runtime-nodejs", "runtime-python", "runtime-rust"}
FUNCTIONS = {*CONTROLLER, *RUNTIMES, "packages"}


@pytest.fixture(scope="module")
def manifests(build: Build) -> dict[str, str]:
    """Return what would be deployed: each function's name and its document."""
    documents = build.faas("generate", "--yaml", "stack.yml").split("---\n")
    named = [(re.search(r"^  name: (\S+)$", document, re.MULTILINE), document) for document in documents]
    return {name[1]: document for name, document in named if name}


def test_each_function_has_a_build_folder_with_both_libraries(build: Build) -> None:
    for function in FUNCTIONS:
        context = build.context(function)
        assert (context / "Dockerfile").is_file()
        assert (context / "function" / "handler.py").is_file(), function
        assert (context / "function" / "pyproject.toml").is_file()
        assert (context / "function" / "requirements.txt").is_file()


def test_the_same_handlers_serve_the_checkout(build: Build) -> None:
    for function in FUNCTIONS:
        deployed = build.context(function) / "function" / "handler.py"
        local = ROOT / "function" / function.replace("-", "_") / "handler.py"
        assert deployed.read_text() == local.read_text()


def test_the_stack_can_be_deployed(manifests: dict[str, str]) -> None:
    assert manifests.keys() == FUNCTIONS
    for name, document in manifests.items():
        secrets = set(re.findall(r"^  - (\S+)$", document, re.MULTILINE))
        files = set(re.findall(r"_FILE: /var/openfaas/secrets/(\S+)$", document, re.MULTILINE))
        assert secrets == files, name
        assert f"image: lambda-microservice/{name}:0.1.0" in document


def test_the_time_limits_grow_outward(manifests: dict[str, str]) -> None:
    def seconds(name: str, variable: str) -> int:
        found = re.search(rf'^    {variable}: "?(\d+)', manifests[name], re.MULTILINE)
        assert found is not None, f"{name} has no {variable}"
        return int(found[1])

    script = seconds("execute", "SCRIPT_TIMEOUT_MAX") / 1000
    for runtime in RUNTIMES:
        assert script < seconds(runtime, "exec_timeout") < seconds(runtime, "write_timeout")
        assert seconds(runtime, "exec_timeout") < seconds("execute", "exec_timeout")
    for function in {*CONTROLLER, "packages"}:
        assert seconds(function, "exec_timeout") < seconds(function, "write_timeout") < 60


def test_a_new_function_starts_from_the_template(build: Build) -> None:
    made = build.folder / GENERIC
    started_from = ROOT / "template" / TEMPLATE / "function"

    assert {path.name for path in made.iterdir()} == {path.name for path in started_from.iterdir()}
    assert (made / "requirements.txt").read_text() == (started_from / "requirements.txt").read_text()


def test_the_image_starts_the_command_of_the_template(build: Build) -> None:
    template = yaml.safe_load((build.context(GENERIC) / "template.yml").read_text())
    dockerfile = (build.context(GENERIC) / "Dockerfile").read_text()

    assert f'fprocess="{template["fprocess"]}"' in dockerfile


EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def echo(serve: Serve) -> Iterator[Served]:
    with serve(GENERIC) as served:
        yield served


def test_a_handler_may_return_text_json_nothing_and_bytes(echo: Served) -> None:
    answers = {
        path: requests.get(f"{echo.url}/{path}", timeout=60)
        for path in ("text", "list", "empty-list", "dict", "empty-dict", "none", "false", "binary", "number")
    }

    assert {answer.status_code for answer in answers.values()} == {200}
    assert answers["text"].content.decode() == "grüß Gott"
    assert answers["text"].headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answers["list"].json() == [1, "two", None]
    assert answers["list"].headers["Content-Type"] == "application/json"
    assert answers["empty-list"].json() == []
    assert answers["dict"].text.replace(" ", "").strip() == '{"b":42,"a":{"z":1,"y":2}}'
    assert answers["empty-dict"].json() == {}
    assert answers["none"].content == b""
    assert answers["false"].json() is False
    assert answers["binary"].content == bytes(range(256))
    assert answers["binary"].headers["Content-Type"] == "application/octet-stream"
    assert answers["number"].json() == 7


def test_a_handler_may_return_status_headers_and_body(echo: Served) -> None:
    full, status, cookies, pair = (
        requests.get(f"{echo.url}/{path}", timeout=60) for path in ("full", "status", "cookies", "pair")
    )

    assert (full.status_code, full.text) == (201, "a,b")
    assert (full.headers["X-Kind"], full.headers["Content-Type"]) == ("full", "text/csv")
    assert (status.status_code, status.text) == (201, "made")
    assert (cookies.status_code, cookies.json()) == (202, {"a": 1})
    assert dict(cookies.cookies) == {"a": "1", "b": "2"}
    assert pair.json() == [3, 4]


def test_the_event_has_the_complete_request(echo: Served) -> None:
    # In chunks and without a length, as the watchdog hands bodies on.
    chunks = iter([b"x" * 70_000, b"y" * 30_000])
    answer = requests.put(
        f"{echo.url}/some/path?a=1&b=two", data=chunks, headers={"X-Probe": "seen"}, timeout=10
    )

    assert answer.json() == {
        "method": "PUT",
        "path": "/some/path",
        "query": {"a": "1", "b": "two"},
        "header": "seen",
        "bytes": 100_000,
    }


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "OPTIONS"])
def test_the_handler_gets_every_method_also_without_a_body(echo: Served, method: str) -> None:
    answer = requests.request(method, f"{echo.url}/any", timeout=60)

    assert (answer.status_code, answer.json()["method"], answer.json()["bytes"]) == (200, method, 0)


def test_each_part_of_a_generator_is_sent_immediately(echo: Served, tmp_path: Path) -> None:
    gate, closed = tmp_path / "gate", tmp_path / "closed"
    query = {"gate": str(gate), "closed": str(closed)}
    with requests.get(f"{echo.url}/stream", params=query, headers=EVENTS, stream=True, timeout=60) as answer:
        parts = answer.iter_content(chunk_size=None)
        first = next(parts)
        assert not gate.exists()
        gate.touch()
        rest = b"".join(parts)

    assert answer.headers["Content-Type"] == "text/event-stream"
    assert (first.decode(), rest) == ("data: öne\n\n", b"data: two\n\n")
    until(closed.exists, "the generator has come to its end")


def test_the_generator_of_a_disconnected_client_is_closed(echo: Served, tmp_path: Path) -> None:
    gate, closed = tmp_path / "gate", tmp_path / "closed"
    query = {"gate": str(gate), "closed": str(closed)}
    with requests.get(f"{echo.url}/stream", params=query, headers=EVENTS, stream=True, timeout=60) as answer:
        next(answer.iter_content(chunk_size=None))
    requests.head(f"{echo.url}/stream", params=query | {"closed": str(tmp_path / "head")}, timeout=60)
    gate.touch()

    until(closed.exists, "the generator is closed")
    until((tmp_path / "head").exists, "HEAD's generator is closed")


def test_an_iterator_may_give_bytes_or_nothing(echo: Served) -> None:
    binary, nothing = (requests.get(f"{echo.url}/{path}", timeout=60) for path in ("parts", "no-parts"))

    assert (binary.content, binary.headers["Content-Type"]) == (b"\x00\xff", "application/octet-stream")
    assert (nothing.status_code, nothing.content) == (200, b"")


def test_a_generator_that_fails_is_a_500_or_an_answer_without_an_end(echo: Served) -> None:
    assert requests.get(f"{echo.url}/fail-at-once", timeout=60).status_code == 500
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(f"{echo.url}/fail-later", headers=EVENTS, timeout=60)
    until(lambda: "as asked, after a part" in echo.log.read_text(), "the failure is in the log")
    assert requests.get(f"{echo.url}/text", timeout=60).status_code == 200


def test_an_application_is_served_as_it_is_and_closed_at_the_end(serve: Serve, tmp_path: Path) -> None:
    closed, gate = tmp_path / "closed", tmp_path / "gate"
    with serve(GENERIC, variables={"CLOSED": str(closed)}) as served:
        text = requests.get(f"{served.url}/any/path", timeout=60).text
        with requests.get(f"{served.url}/stream?{gate}", headers=EVENTS, stream=True, timeout=60) as answer:
            parts = answer.iter_content(chunk_size=None)
            assert next(parts) == b"data: one\n\n"
            gate.touch()
            assert b"".join(parts) == b"data: two\n\n"
        assert not closed.exists()

    assert (text, closed.read_text()) == ("from the application", "closed")


def test_a_function_can_be_created_from_a_clone(tools: Tools, build: Build, tmp_path: Path) -> None:
    if shutil.which("git") is None:
        missing("git")
    clone, mine = tmp_path / "clone", tmp_path / "mine"
    shutil.copytree(build.folder / "template", clone / "template")
    mine.mkdir()
    author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    run(clone, "git", "init", "--quiet")
    run(clone, "git", "add", ".")
    run(clone, "git", *author, "commit", "--quiet", "--message", "template")
    faas_cli = str(tools.faas_cli())
    run(mine, faas_cli, "template", "pull", str(clone))
    run(mine, faas_cli, "new", "--lang", TEMPLATE, "mine")
    run(mine, faas_cli, "build", "--shrinkwrap", "--yaml", stack_of(mine))

    assert (mine / "mine" / "handler.py").is_file()
    assert {path.name for path in (mine / "template" / TEMPLATE).iterdir()} == {
        path.name for path in (ROOT / "template" / TEMPLATE).iterdir() if path.name != "__pycache__"
    }
    assert (mine / "build" / "mine" / "function" / "handler.py").is_file()


def stack_of(folder: Path) -> str:
    """Return the file that `faas-cli new` wrote; its name depends on the version."""
    (found,) = folder.glob("*.y*ml")
    return found.name


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=60)
