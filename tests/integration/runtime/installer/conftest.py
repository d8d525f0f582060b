"""The function `packages` in this process, with real jobs, and what the controller asks of it."""

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Self

import pytest
from werkzeug.test import TestResponse

from configuration.errors import UnusableSetting
from runtime.installer.app import HEADER, Installer
from runtime.installer.builder import Builder
from runtime.installer.settings import Settings
from runtime.process.process import Preload
from runtime.process.spawner import Spawner
from tests.conftest import missing
from tests.integration.runtime.installer.registry import Registry, served


@dataclass(frozen=True)
class Environment:
    """What a build has answered, put together."""

    head: dict[str, Any]
    files: dict[str, bytes]
    executable: set[str]


def environment(answer: TestResponse) -> Environment:
    """What the answer of a build has, which succeeded, its parts checked against the manifest."""
    assert answer.status_code == 200, answer.text
    head, first, *pieces = _frames(answer.data)
    manifest = json.loads(zlib.decompress(first))
    about = json.loads(head)
    content = b"".join(map(zlib.decompress, pieces))
    assert about["parts"] == manifest["parts"] == 1 + len(pieces)
    assert about["bytes"] == len(content) and about["files"] == len(manifest["files"])
    files, begin = {}, 0
    for path, size, _, _ in manifest["files"]:
        files[path] = content[begin : begin + size]
        begin += size
    return Environment(about, files, {path for path, _, _, run in manifest["files"] if run})


class ServedInstaller:
    """The function with its settings, some of them changed."""

    def __init__(self, settings: Settings, **changes: Any) -> None:
        self.settings = replace(settings, **changes)
        spawner = Spawner(Preload(), self.settings.state, 64 << 10)
        self.app = Installer(self.settings, Builder(self.settings, spawner), spawner)

    def ask(self, language: str, call: str, body: Any, secret: str | None = None) -> TestResponse:
        """Make a call."""
        given = self.settings.secret if secret is None else secret
        path = f"/packages/{language}/{call}"
        return self.app.test_client().post(path, json=body, headers={HEADER: given})

    def resolved(self, language: str, *packages: str) -> dict[str, Any]:
        """The answer of a resolve that succeeds."""
        answer = self.ask(language, "resolve", {"packages": packages})
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.get_json()
        return document

    def built(self, language: str, lock: str) -> Environment:
        """The environment of a build that succeeds."""
        return environment(self.ask(language, "build", {"lock": lock}))

    def refusal(self, language: str, call: str, **body: Any) -> tuple[int, str, str | None, str]:
        """Status, code, stage and message of a call that fails."""
        answer = self.ask(language, call, body)
        assert answer.status_code != 200, answer.data[:1000]
        error = answer.get_json()["error"]
        return answer.status_code, error["code"], error["details"].get("stage"), error["message"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.app.close()


def _frames(data: bytes) -> list[bytes]:
    found, begin = [], 0
    while begin < len(data):
        end = begin + 4 + int.from_bytes(data[begin : begin + 4], "big")
        assert end <= len(data), "the stream ends early"
        found.append(data[begin + 4 : end])
        begin = end
    return found


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
