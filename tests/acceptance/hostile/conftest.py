"""Runtimes that hostile scripts share, one for each language and set of layers; they may leave nothing behind.

They run as an ordinary user without capabilities, as in a plain container: `make test` starts pytest so.
"""

import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from local.supervisor.proc import PROC, children
from runtime.sandbox import confine
from runtime.settings import MEBIBYTE, Settings
from tests.acceptance.hostile.served import Runtime, open_descriptors, until
from tests.conftest import missing

#: Where the host keeps what no script may see.
SECRET_VARIABLE = "HOSTILE_TEST_SECRET"
#: The layers of confinement of each language, as its runtime probed them.
LAYERS = pytest.StashKey[dict[str, dict[str, bool]]]()
_CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapAmb")


@dataclass(frozen=True)
class Target:
    """What hostile scripts aim at; they get it with their params."""

    secret: str
    front: int
    outside: Path
    package: Path

    def params(self, runtime: Runtime, sibling: int, private: Path) -> dict[str, Any]:
        """Everything a script needs to know to try."""
        return {
            "front": self.front,
            "parent": runtime.fork_server,
            "sibling": sibling,
            "private": str(private),
            "outside": str(self.outside),
            "package": str(self.package),
            "repository": str(Path(__file__).parents[3]),
        }


class Runtimes:
    """Starts runtimes when they are asked for, and ends them all."""

    def __init__(self, state: Path, package: Path, request: pytest.FixtureRequest) -> None:
        self._state = state
        self._package = package
        self._request = request
        self._layers = request.config.stash[LAYERS]
        #: Descriptors of this process that belong to no runtime.
        self.descriptors = 0
        self._started: dict[tuple[str, tuple[str, ...], bool], Runtime] = {}

    def __call__(self, language: str, off: tuple[str, ...] = (), *, generous: bool = False) -> Runtime:
        """The runtime of a language with those layers off, and with limits that no script here reaches."""
        key = (language, off, generous)
        if key not in self._started:
            self._started[key] = Runtime(language, self._settings(language, off, generous=generous))
            if not off:
                self._layers[language] = self._started[key].layers()
        return self._started[key]

    def close(self) -> None:
        while self._started:
            self._started.popitem()[1].close()

    def settled(self) -> bool:
        """Whether this process has no descriptor open but those of the runtimes and their workers."""
        return open_descriptors() <= self.descriptors + sum(
            one.descriptors() for one in self._started.values()
        )

    def _settings(self, language: str, off: tuple[str, ...], *, generous: bool) -> Settings:
        settings = replace(
            Settings.from_environment(),
            state=self._state / "-".join((language, *off, *(["generous"] if generous else []))),
            workers_max=4,
            # What is started ahead comes and goes by itself, which nothing could be counted against.
            reserve=0,
            output_max_bytes=64 * 1024,
            memory_max_bytes=128 * MEBIBYTE,
            wasm_memory_max_bytes=128 * MEBIBYTE,
            files_max_bytes=32 * MEBIBYTE,
            threads_max=24,
            compile_timeout=10_000,
            # Whatever the front fails to end, the kernel does.
            cpu_max_seconds=60,
            packages=(str(self._package),),
        )
        # Where a language's program is missing, the others' scripts run.
        if language == "nodejs":
            settings = replace(settings, node=self._request.getfixturevalue("node_program"))
        if language == "rust":
            settings = replace(settings, rust_toolchain=self._request.getfixturevalue("rust_toolchain"))
        if generous:
            settings = replace(
                settings,
                memory_max_bytes=4096 * MEBIBYTE,
                files_max_bytes=1024 * MEBIBYTE,
                threads_max=10_000,
            )
        return replace(settings, isolation_off=off, isolation_required=()) if off else settings


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LAYERS] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Which layers held the hostile scripts, by language."""
    if not config.stash[LAYERS]:
        return
    terminalreporter.section(f"confinement of hostile scripts, as user {os.getuid()} without capabilities")
    for language, layers in sorted(config.stash[LAYERS].items()):
        named = " ".join(name if on else f"(no {name})" for name, on in layers.items())
        terminalreporter.line(f"{language}: {named}")


@pytest.fixture(scope="session", autouse=True)
def ordinary_user() -> None:
    """What root or a capability might do must not be what stops a script, nor what lets it through."""
    status = dict(line.split(":\t", 1) for line in PROC.joinpath("self/status").read_text().splitlines())
    held = [f"{name} {status[name]}" for name in _CAPABILITIES if int(status[name], 16)]
    if os.getuid() == 0 or held:
        found = ", ".join([f"user {os.getuid()}", *held])
        missing(
            f"hostile scripts run as an ordinary user without capabilities, by make test; this is {found}"
        )


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A secret in the environment of the runtime's process, and files that no script may read."""
    place = tmp_path_factory.mktemp("outside")
    (place / "kept.txt").write_text("kept")
    (place / "kept.json").write_text("{}")
    package = tmp_path_factory.mktemp("packages")
    (package / "shared.py").write_text("VALUE = 1\n")
    secret = f"hostile-{secrets.token_hex(16)}"
    os.environ[SECRET_VARIABLE] = os.environ["RUNTIME_SECRET"] = secret
    yield Target(secret, os.getpid(), place, package)
    del os.environ[SECRET_VARIABLE], os.environ["RUNTIME_SECRET"]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Listening sockets that a script has no business with."""
    path = str(tmp_path_factory.mktemp("unix") / "socket")
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        port = tcp.getsockname()[1]
        unix.bind(path)
        unix.listen()
        abstract.bind(f"\0hostile-test-{port}")
        abstract.listen()
        yield {"port": port, "unix": path, "abstract": f"hostile-test-{port}"}


@pytest.fixture(scope="module")
def runtimes(
    target: Target,
    servers: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Runtimes]:
    """Started as they are needed; when they have ended nothing of them is left."""
    # Whatever escapes the fork servers falls to us, and is counted.
    confine.adopt_orphans()
    state = tmp_path_factory.mktemp("state")
    started = Runtimes(state, target.package, request)
    # The first start in a process opens descriptors of gevent's own, which stay.
    started("python")
    started.close()
    processes, descriptors = set(children(os.getpid())), open_descriptors()
    started.descriptors = descriptors
    yield started
    started.close()
    until(lambda: set(children(os.getpid())) <= processes, "every process of the runtimes to end")
    until(lambda: open_descriptors() <= descriptors, "every descriptor of the runtimes to be closed")
    assert not list(state.glob("*/workers-*"))


_SCRIPTS = {
    "python": """
import os
def handle(params):
    return {"sum": params["a"] + params["b"], "process": os.getpid(), "folder": os.getcwd()}
""",
    "nodejs": """
module.exports = async ({ params }) => ({
  sum: params.a + params.b, process: process.pid, folder: process.cwd(),
});
""",
    "rust": """
use serde_json::{json, Map, Value};
pub fn handler(context: Map<String, Value>) -> Result<Value, String> {
    let params = &context["params"];
    Ok(json!({"sum": params["a"].as_i64().unwrap_or(0) + params["b"].as_i64().unwrap_or(0)}))
}
""",
}


def good(runtime: Runtime, tenant: str = "good") -> dict[str, Any]:
    """Runs a harmless script, which must work immediately."""
    answer = runtime.run(_SCRIPTS[runtime.language], {"a": 2, "b": 3}, tenant=tenant)
    assert answer.status == 200, answer.json
    result: dict[str, Any] = answer.json["result"]
    assert result["sum"] == 5
    return result


def check_clean(runtimes: Runtimes, language: str) -> None:
    """The runtime serves on, and neither a process, nor a folder, nor a descriptor is left of what went before."""
    runtime = runtimes(language)
    good(runtime)
    until(lambda: not runtime.leaks(), f"no more of this: {runtime.leaks()}")
    until(runtimes.settled, "descriptors to be closed")
