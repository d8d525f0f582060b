"""All functions of stack.yml, each from its build folder, and the gateway of the Compose file in front of them."""

import os
import re
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import jwt
import requests
import yaml

from local.fetch.debian_program import DebianProgram
from local.supervisor.account import Account
from local.supervisor.ports import LOOPBACK, free_port
from tests.integration.openfaas.build import ROOT, Build
from tests.integration.openfaas.image import files
from tests.integration.openfaas.served import Serve, Served
from tests.waiting import until

SECRETS = {"JWT_SECRET": "j" * 32, "RUNTIME_SECRET": "r" * 32, "PACKAGES_SECRET": "p" * 32}
TIMEOUT = 60
#: The time limits of the service and of the watchdogs, in the order of stack.yml, but shorter.
SHORT = {
    "SCRIPT_TIMEOUT_MAX": "4000",
    "exec_timeout": "10s",
    "write_timeout": "12s",
    "read_timeout": "12s",
    "healthcheck_interval": "1s",
}


@dataclass(frozen=True)
class Function:
    """One function of stack.yml, as faas-cli reads it."""

    name: str
    library: str
    environment: Mapping[str, str]

    @property
    def language(self) -> str | None:
        """The language of a runtime."""
        return self.name.removeprefix("runtime-") if self.name.startswith("runtime-") else None


def functions(build: Build) -> list[Function]:
    """Return the functions as faas-cli would deploy them."""
    built = yaml.safe_load((build.folder / "stack.yml").read_text())["functions"]
    documents = yaml.safe_load_all(build.faas("generate", "--yaml", "stack.yml"))
    specs = [document["spec"] for document in documents if document]
    return [
        Function(spec["name"], built[spec["name"]]["build_args"]["LIBRARY"], spec["environment"])
        for spec in specs
    ]


class Stack:
    """The running functions by name, and a user of them."""

    def __init__(self, served: Mapping[str, Served]) -> None:
        self.served = served
        claims = {
            "sub": f"user-{uuid.uuid4()}",
            "scope": "execute:all read:functions",
            "exp": time.time() + 600,
        }
        token = jwt.encode(claims, SECRETS["JWT_SECRET"], algorithm="HS256")
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, function: str, path: str = "", **options: Any) -> requests.Response:
        headers = self._headers | options.pop("headers", {})
        return requests.request(
            method, f"{self.served[function].url}{path}", headers=headers, timeout=TIMEOUT, **options
        )

    def counted(self, function: str, code: str) -> float:
        """Return how many calls of a function ended with a code, from its metrics."""
        text = self.call("GET", function, "/metrics").text
        pattern = rf'^lambda_requests_total\{{code="{code}",.*\}} (\S+)$'
        return sum(map(float, re.findall(pattern, text, re.MULTILINE)))

    def busy(self, runtime: str) -> bool:
        """Return whether a script is running."""
        return bool(self.call("GET", runtime, "/health").json()["workers"]["busy"])

    def begin(self, language_title: str, script: str, **context: Any) -> str:
        """Create a session and return its request_id."""
        answer = self.call(
            "POST",
            "initialize",
            json={"script_content": script, "context": context},
            headers={"Language-Title": language_title},
        )
        assert answer.status_code == 200, answer.text
        request_id: str = answer.json()["request_id"]
        return request_id

    def execute(self, request_id: str, params: Mapping[str, Any]) -> requests.Response:
        return self.call("POST", "execute", f"/{request_id}", json={"params": params})


@contextmanager
def running(
    build: Build,
    serve: Serve,
    secret_files: Mapping[str, str],
    variables: Mapping[str, str],
    account: Account,
) -> Iterator[Stack]:
    """Start the whole stack with the environment of stack.yml.

    Args:
        secret_files: Variables that name files of secrets, instead of the platform's folder.
        variables: Variables that a test changes.
        account: Takes the place of the images' user.
    """
    all_functions = functions(build)
    served: dict[str, Served] = {}
    with ExitStack() as started:

        def prepare(function: Function, more: Mapping[str, str]) -> None:
            secrets = {name: secret_files[name] for name in function.environment if name.endswith("_FILE")}
            # Functions share this machine, and so its ports.
            alone = {"METRICS_PORT": "0", "RUNTIME_FRAMES": ""}
            environment = {**function.environment, **alone, **variables, **secrets, **more}
            served[function.name] = serve(function.name, environment, account)

        runtimes = [function for function in all_functions if function.language]
        for function in runtimes:
            prepare(function, {})
        urls = ",".join(f"{function.language}={served[function.name].url}" for function in runtimes)
        for function in all_functions:
            if not function.language:
                prepare(function, {"RUNTIME_URLS": urls})
        with ThreadPoolExecutor() as threads:
            list(threads.map(started.enter_context, served.values()))
        yield Stack(served)


def secret_files(folder: Path, values: Mapping[str, str]) -> dict[str, str]:
    """Write each value to a file as `faas-cli secret create` does, and return the variables that name the files.

    Every account can read them, like the secrets that a platform mounts.
    """
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")
        (folder / name).chmod(0o444)
    return {f"{name}_FILE": str(folder / name) for name in values}


def written(build: Build) -> dict[Path, int]:
    """Return every file of the images and of the functions' folders, with the time of its last change."""
    made = [build.made(function.name) for function in functions(build)]
    folders = {folder for one in made for folder in (one.image.folder, one.app)}
    return {path: path.stat().st_mtime_ns for folder in folders for path in files(folder)}


CONFIGURATION = ROOT / "deploy" / "gateway" / "haproxy.cfg"
#: Its public port in the configuration; the others are the runtimes'.
PUBLIC = 8080
STOP_TIMEOUT = 30


class Gateway:
    """The gateway. As a context manager it waits until it answers, and ends it.

    Args:
        haproxy: The program.
        functions: Addresses of the functions, by the names of the services in the Compose file.
        folder: Folder for the configuration with these addresses.
    """

    def __init__(self, haproxy: DebianProgram, functions: Mapping[str, str], folder: Path) -> None:
        self._haproxy = haproxy
        self._file = folder / "haproxy.cfg"
        self._ports: dict[str, int] = {}
        text = re.sub(r"^    bind :(\d+)$", self._bind, CONFIGURATION.read_text(), flags=re.MULTILINE)
        named = set(re.findall(r"^    server \S+ (\S+):8080$", text, re.MULTILINE))
        assert named == functions.keys()
        for name, address in functions.items():
            text = re.sub(rf"(?<= ){name}:8080$", urlsplit(address).netloc, text, flags=re.MULTILINE)
        self._file.write_text(text)
        self.url = self.at(PUBLIC)

    def _bind(self, found: re.Match[str]) -> str:
        self._ports[found[1]] = free_port()
        return f"    bind {LOOPBACK}:{self._ports[found[1]]}"

    def at(self, port: int) -> str:
        """Return the address of a port of the configuration."""
        return f"http://{LOOPBACK}:{self._ports[str(port)]}"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [self._haproxy.path, "-db", "-f", self._file], env=os.environ | self._haproxy.environment
        )
        try:
            until(self._answers, "the gateway answers")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _answers(self) -> bool:
        assert self._process.poll() is None
        with suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/health", timeout=60).status_code == 200
        return False

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(STOP_TIMEOUT)
