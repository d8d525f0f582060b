"""A runtime of one language in this process, as the controller uses it, and an account of what it holds."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent

from local.supervisor.proc import PROC, children, command_line
from runtime.executor import Executor
from runtime.front.app import Front
from runtime.languages import LANGUAGES
from runtime.metrics import RuntimeMetrics
from runtime.settings import Settings
from tests.environments import Environment

#: Descriptors of the front for each worker: its channel, its pidfd, its status and statm, and its output's two pipes.
_DESCRIPTORS_OF_A_WORKER = 6
#: Members that a script is prepared with, too.
_OF_BOTH = ("tenant", "environment")
#: Seconds after which a call has failed: far more than any deadline of a script.
_ANSWER_TIMEOUT = 180


@dataclass(frozen=True)
class Answer:
    """What the runtime answered."""

    status: int
    json: Any

    @property
    def verdict(self) -> str:
        """In a few words: `done`, `refused EPERM`, `result 3`, or an error's code and kind."""
        if self.status != 200:
            error = self.json["error"]
            return " ".join(filter(None, [error["code"], error["details"].get("kind")]))
        match self.json.get("result", "prepared"):
            case {"done": True}:
                return "done"
            case {"refused": str(reason)}:
                return f"refused {reason}"
            case result:
                return f"result {result}"


class Runtime:
    """Calls go through the WSGI application, without a server."""

    def __init__(self, language: str, settings: Settings) -> None:
        self.language = language
        self.settings = settings
        self._headers = {"X-Runtime-Secret": settings.secret}
        earlier, descriptors = set(fork_servers()), open_descriptors()
        self._front = Front(
            language, Executor(LANGUAGES[language](settings), settings, RuntimeMetrics(language)), settings
        )
        (self.fork_server,) = set(fork_servers()) - earlier
        until(lambda: len(self.workers()) == len(self.folders()), "the probe of the start to be cleared away")
        self._own_descriptors = open_descriptors() - descriptors - self._descriptors_of_workers()

    def run(self, content: str, params: dict[str, Any] | None = None, **more: Any) -> Answer:
        """Prepares a script and runs it once; a compiled one is then sent by its hash only."""
        prepared = self.prepare(content, **{name: more[name] for name in _OF_BOTH if name in more})
        if prepared.status != 200:
            return prepared
        source = {} if self.language == "rust" else {"script_content": content}
        body = {"request_id": "r1", "params": params or {}, "context": {}, "timeout_ms": 120_000, **source}
        return self._post(f"/runtime/{self.language}/test", content, **{**body, **more})

    def prepare(self, content: str, **more: Any) -> Answer:
        """Parses or compiles a script."""
        return self._post(f"/runtime/{self.language}/test/prepare", content, script_content=content, **more)

    def keep(self, environment: Environment) -> str:
        """Send all parts of an environment. Return its digest."""
        for number, part in enumerate(environment.parts):
            path = f"/runtime/{self.language}/environments/{environment.digest}/{number}"
            response = self._front.test_client().put(path, data=part, headers=self._headers)
            assert response.status_code == 204, response.get_data()
        return environment.digest

    def layers(self) -> dict[str, bool]:
        """The layers of confinement, as the runtime tells them."""
        response = self._front.test_client().get("/isolation", headers=self._headers)
        layers: dict[str, bool] = response.get_json()["layers"]
        return layers

    def workers(self) -> list[int]:
        """The processes of scripts, idle and in reserve ones too."""
        return children(self.fork_server)

    def folders(self) -> list[Path]:
        """The private folders of workers."""
        return list(self.settings.state.glob("workers-*/*"))

    def leaks(self) -> str:
        """What there is beyond one process and one folder for each worker, in words."""
        workers, folders = self.workers(), self.folders()
        found = [f"process {pid} of worker {worker}" for worker in workers for pid in children(worker)]
        if len(folders) > len(workers):
            found.append(f"{len(folders)} folders of {len(workers)} workers")
        return ", ".join(found)

    def descriptors(self) -> int:
        """How many descriptors of this process are this runtime's by right."""
        return self._own_descriptors + self._descriptors_of_workers()

    def close(self) -> None:
        self._front.close()

    def _descriptors_of_workers(self) -> int:
        return _DESCRIPTORS_OF_A_WORKER * len(self.workers())

    def _post(self, path: str, content: str, **body: Any) -> Answer:
        script_hash = hashlib.sha256(content.encode()).hexdigest()
        reference = {"tenant": "t1", "script_hash": script_hash, "compile_options": {}}
        with gevent.Timeout(_ANSWER_TIMEOUT, AssertionError(f"no answer after {_ANSWER_TIMEOUT} s")):
            response = self._front.test_client().post(path, json={**reference, **body}, headers=self._headers)
        return Answer(response.status_code, response.json)


def fork_servers() -> list[int]:
    """The fork servers that this process started."""
    return [pid for pid in children(os.getpid()) if "runtime.process.forkserver" in command_line(pid)]


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(PROC.joinpath("self/fd").iterdir()))


def until(condition: Callable[[], bool], what: str, timeout: float = 120.0) -> None:
    """Returns once `condition` holds; fails after `timeout` seconds. The runtimes here go on while it waits."""
    with gevent.Timeout(timeout, AssertionError(f"waited {timeout} s in vain: {what}")):
        while not condition():
            gevent.sleep(0.01)
