"""A runtime of one language in this process, as the controller uses it, and an account of what it holds."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
from werkzeug.test import TestResponse

from local.supervisor.proc import PROC, children, command_line
from runtime.settings import Settings
from tests.integration.runtime.served import ServedRuntime, document

#: Descriptors of the front for each worker: its channel, its pidfd, its status and statm, and its output's two pipes.
_DESCRIPTORS_OF_A_WORKER = 6
#: Descriptors of the front for a runtime: its fork server's socket and the folder of its workers, and that of its
#: environments, which compiled scripts do not have. They are counted out, because what was open before and after a
#: start also tells of other runtimes' workers, which end when they like.
_DESCRIPTORS_OF_A_RUNTIME = {"python": 3, "nodejs": 3, "rust": 2}
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
    """A runtime. Its processes, folders and descriptors are counted."""

    def __init__(self, language: str, settings: Settings) -> None:
        self.language = language
        self.settings = settings
        earlier = set(fork_servers())
        self._served = ServedRuntime(language, settings)
        self.keep, self.close = self._served.keep, self._served.close
        (self.fork_server,) = set(fork_servers()) - earlier
        until(lambda: len(self.workers()) == len(self.folders()), "the probe of the start to be cleared away")

    def run(self, content: str, params: dict[str, Any] | None = None, **more: Any) -> Answer:
        """Prepares a script and runs it once; a compiled one is then sent by its hash only."""
        prepared = self.prepare(content, **{name: more[name] for name in _OF_BOTH if name in more})
        if prepared.status != 200:
            return prepared
        source = {"script_content": None} if self.language == "rust" else {}
        return _in_time(self._served.run, content, params, **{"timeout_ms": 120_000, **source, **more})

    def prepare(self, content: str, **more: Any) -> Answer:
        """Parses or compiles a script."""
        return _in_time(self._served.prepare, content, **more)

    def layers(self) -> dict[str, bool]:
        """The layers of confinement, as the runtime tells them."""
        layers: dict[str, bool] = document(self._served.get("/isolation"))["layers"]
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
        return _DESCRIPTORS_OF_A_RUNTIME[self.language] + _DESCRIPTORS_OF_A_WORKER * len(self.workers())


def _in_time(call: Callable[..., TestResponse], *arguments: Any, **more: Any) -> Answer:
    with gevent.Timeout(_ANSWER_TIMEOUT, AssertionError(f"no answer after {_ANSWER_TIMEOUT} s")):
        response = call(*arguments, **more)
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
