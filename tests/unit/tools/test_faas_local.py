"""The provider on one machine: what it is sent and builds, and the secrets and logs that it keeps."""

import json
import stat
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import gevent
import pytest

from local.state import ROOT
from tools.faas_local import logs
from tools.faas_local.build_folder import BuildFolder, image
from tools.faas_local.deployment import Deployment, Refused, require_namespace
from tools.faas_local.logs import Log, Query
from tools.faas_local.secret_store import SecretStore, value_of

STACK = "functions:\n  mine:\n    build_args: {LIBRARY: %s}\n  other:\n    build_args: {LIBRARY: runtime}\n"


@pytest.fixture
def build(tmp_path: Path) -> BuildFolder:
    folder = tmp_path / "build" / "mine"
    (folder / "function").mkdir(parents=True)
    (folder / "install.sh").touch()
    (folder / "function" / "handler.py").write_text("one")
    (folder / "function" / "requirements.txt").touch()
    return BuildFolder(tmp_path / "build", "mine")


DOCKERFILE = r"""
ARG KIND=none
FROM x AS base
ENV PATH=/x:$PATH inherited=1
FROM base AS build
ENV early=1
FROM base AS kind-none
FROM base AS kind-special
ENV special=1
# ENV hidden=1
FROM kind-${KIND:-none} AS ship
ENV mode=http \
    fprocess="serve --now" \
    # why
    last=2
CMD ["python", "init.py", "fwatchdog"]
"""


def test_the_image_sets_what_its_last_stage_and_those_below_it_say() -> None:
    plain = image(DOCKERFILE, {})
    special = image(DOCKERFILE, {"KIND": "special"})
    expected = {"inherited": "1", "mode": "http", "fprocess": "serve --now", "last": "2"}
    assert plain.variables == expected
    assert special.variables == expected | {"special": "1"}
    assert plain.command == ("python", "init.py", "fwatchdog")


def test_our_template_says_how_it_is_ready() -> None:
    text = (ROOT / "template" / "python3-gevent" / "Dockerfile").read_text()
    made = image(text, {})
    expected = {"mode": "http", "suppress_lock": "true", "log_buffer_size": "-1", "PYTHONUNBUFFERED": "1"}
    assert made.variables.items() >= expected.items()
    assert made.command[-1] == "fwatchdog"


def test_a_folder_that_is_missing_or_has_no_installer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"faas-cli build --shrinkwrap -f stack\.yml"):
        BuildFolder(tmp_path / "build", "mine")
    (tmp_path / "mine.yml").write_text(STACK % "controller")
    with pytest.raises(Refused, match=r"faas-cli build --shrinkwrap -f mine\.yml"):
        BuildFolder(tmp_path / "build", "mine")
    (tmp_path / "build" / "mine").mkdir(parents=True)
    with pytest.raises(Refused, match=r"no install\.sh"):
        BuildFolder(tmp_path / "build", "mine")


def test_the_arguments_are_those_of_the_stack_files(build: BuildFolder, tmp_path: Path) -> None:
    assert build.arguments() == {}
    (tmp_path / "broken.yml").write_text("{")
    (tmp_path / "list.yaml").write_text("- 1")
    (tmp_path / "stack.yml").write_text(STACK % "controller")
    assert build.arguments() == {"LIBRARY": "controller"}
    (tmp_path / "copy.yaml").write_text(STACK % "controller")
    assert build.arguments() == {"LIBRARY": "controller"}
    (tmp_path / "rival.yml").write_text(STACK % "runtime")
    with pytest.raises(Refused, match="differ in build_args of mine"):
        build.arguments()


def test_the_digest_tells_what_has_changed(build: BuildFolder, tmp_path: Path) -> None:
    def digests() -> tuple[str, str]:
        return build.digest(modules=False), build.digest(modules=True)

    first = digests()
    (build.path / "function" / "__pycache__").mkdir()
    (build.path / "function" / "__pycache__" / "handler.pyc").touch()
    assert digests() == first

    (build.path / "function" / "handler.py").write_text("two")
    second = digests()
    assert (second[0] == first[0], second[1] == first[1]) == (True, False)

    (build.path / "function" / "requirements.txt").write_text("Flask")
    third = digests()
    assert not set(third) & {*first, *second}

    (tmp_path / "stack.yml").write_text(STACK % "controller")
    assert not set(digests()) & set(third)


FULL = {
    "service": "mine",
    "image": "mine:latest",
    "envProcess": "serve",
    "envVars": {"A": "1"},
    "secrets": ["s"],
    "labels": {"com.openfaas.scale.min": "2", "com.openfaas.scale.max": "3"},
    "annotations": {"topic": "x"},
    "limits": {"memory": "1Gi"},
    "requests": {"cpu": "100m"},
    "constraints": ["c"],
    "readOnlyRootFilesystem": True,
}


def test_it_is_kept_as_it_came() -> None:
    document = Deployment.from_json(FULL | {"namespace": "openfaas-fn", "registryAuth": "ignored"}).to_json()
    assert document == FULL


def test_what_go_leaves_empty_is_empty() -> None:
    sparse = Deployment.from_json({"service": "mine", "image": "x", "labels": None, "envVars": None})
    assert (sparse.labels, sparse.variables, sparse.secrets) == ({}, {}, ())
    assert (sparse.minimum, sparse.maximum) == (1, 5)


def test_labels_say_how_many_replicas() -> None:
    deployment = Deployment.from_json(FULL)
    assert (deployment.minimum, deployment.maximum) == (2, 3)
    with pytest.raises(Refused, match=r"com\.openfaas\.scale\.max is no number: many"):
        _ = Deployment.from_json(FULL | {"labels": {"com.openfaas.scale.max": "many"}}).maximum


@pytest.mark.parametrize("service", ["", "../x", "a/b", "a.b", "-a", "x" * 64, "a\n"])
def test_a_functions_name_is_no_path(service: str) -> None:
    with pytest.raises(Refused, match="service"):
        Deployment.from_json({"service": service, "image": "x"})


def test_there_is_one_namespace() -> None:
    for name in (None, "", "openfaas-fn"):
        require_namespace(name)
    with pytest.raises(Refused, match="not staging-fn"):
        require_namespace("staging-fn")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log" / "mine.log", "mine")


def texts(lines: Iterable[str]) -> list[str]:
    return [json.loads(line)["text"] for line in lines]


def test_it_outlives_its_reader_and_can_be_cut(log: Log, tmp_path: Path) -> None:
    for number in range(5):
        log.write(f"mine-{number % 2}", str(number))
    again = Log(tmp_path / "log" / "mine.log", "mine")

    assert texts(again.read(Query())) == ["0", "1", "2", "3", "4"]
    assert texts(again.read(Query(tail=2))) == ["3", "4"]
    assert texts(again.read(Query(instance="mine-1"))) == ["1", "3"]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert texts(again.read(Query(since=tomorrow))) == []


def test_a_message_has_what_faas_cli_reads(log: Log) -> None:
    log.write("mine-1", "grüß Gott")
    message = json.loads(next(log.read(Query())))
    assert datetime.fromisoformat(message.pop("timestamp")) <= datetime.now(UTC)
    assert message == {"name": "mine", "namespace": "openfaas-fn", "instance": "mine-1", "text": "grüß Gott"}


def test_a_follower_gets_all_lines_until_the_function_is_removed(log: Log) -> None:
    log.write("mine-1", "before")
    lines = log.read(Query(follow=True))
    assert texts([next(lines)]) == ["before"]
    log.write("mine-1", "meanwhile")
    log.write("mine-1", "later")
    assert texts([next(lines)]) == ["meanwhile"]
    log.remove()
    assert texts(lines) == ["later"]
    log.write("mine-1", "from beyond")
    assert list(log.read(Query())) == []


def test_a_reader_that_is_too_slow_is_dropped(log: Log) -> None:
    lines = log.read(Query(follow=True, instance="nobody"))
    reader = gevent.spawn(list, lines)
    gevent.sleep(0)
    for number in range(logs.BACKLOG + 1):
        log.write("mine-1", str(number))
    assert reader.get(timeout=60) == []


def test_a_long_log_begins_a_new_file_and_keeps_one(log: Log, tmp_path: Path) -> None:
    line = "x" * (logs.FILE_BYTES // 2)
    for number in range(7):
        log.write("mine-1", f"{number}{line}")
    kept = texts(log.read(Query()))
    assert [text[0] for text in kept] == ["4", "5", "6"]
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == ["mine.log", "mine.log.1"]


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    return SecretStore(tmp_path / "secrets")


def test_a_secret_is_made_once_and_changed_while_it_is_there(store: SecretStore, tmp_path: Path) -> None:
    store.create("mine", b"one")
    with pytest.raises(Refused, match="already") as refused:
        store.create("mine", b"two")
    assert (refused.value.status, store.value("mine")) == (409, b"one")
    store.update("mine", b"two")
    assert (store.names(), store.value("mine")) == (["mine"], b"two")
    assert stat.S_IMODE((tmp_path / "secrets" / "mine").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700

    store.remove("mine")
    for gone in (store.value, store.remove, lambda name: store.update(name, b"x")):
        with pytest.raises(Refused, match="no secret mine"):
            gone("mine")


def test_those_that_are_missing_are_named(store: SecretStore) -> None:
    store.put("here", b"x")
    store.require(("here",))
    with pytest.raises(Refused, match="away, gone"):
        store.require(("here", "gone", "away"))


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "A", ".hidden", "a\n"])
def test_a_secrets_name_is_no_path(store: SecretStore, name: str) -> None:
    with pytest.raises(Refused, match="name"):
        store.put(name, b"x")


def test_a_value_comes_as_text_or_as_base64() -> None:
    assert value_of({"value": "grüß Gott"}) == "grüß Gott".encode()
    assert value_of({"rawValue": "AP8=", "value": ""}) == b"\x00\xff"


@pytest.mark.parametrize("document", [{}, {"value": ""}, {"value": 1}, {"rawValue": "no base64!"}])
def test_no_value_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(Refused):
        value_of(document)
