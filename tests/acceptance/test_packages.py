"""Packages of scripts: two controllers, the part that installs, runtimes, and registries on loopback.

Registries of the tests serve what the tests publish. Parts of environments lie in PostgreSQL, as in a cluster.
"""

import hashlib
import os
import random
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from functools import partial
from typing import Any

import psycopg2
import pytest
import requests

from tests.acceptance.client import Client, error_of
from tests.acceptance.deployment import Deployment
from tests.integration.runtime.installer.registry import Registry, served, tarball, wheel
from tests.processes import Process, alive, below
from tests.waiting import until

PLAIN = "def handle(params):\n    return params\n"
#: An environment of this size has three parts, and a runtime has no room for two of them.
LARGE, ROOM = 5 << 20, 8 << 20
KILLS = 5
SEED = 19


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with served() as one:
        yield one


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, node_program: str, registry: Registry
) -> Iterator[Deployment]:
    with Deployment(
        tmp_path_factory.mktemp("packed-service"),
        node_program,
        None,
        runtime={"ENVIRONMENTS_MAX_BYTES": str(ROOM)},
        languages=["python", "nodejs"],
        packages={"PACKAGES_INDEX_URL": f"{registry.url}/simple", "NPM_REGISTRY_URL": registry.url},
        ENVIRONMENTS_DIR="",
    ) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def other_url(service: Deployment) -> Iterator[str]:
    with service.another_controller() as url:
        yield url


@pytest.fixture(autouse=True)
def _well(registry: Registry) -> Iterator[None]:
    registry.released.clear()
    yield
    registry.fault = ""
    registry.released.set()


def publish_python(
    registry: Registry, name: str, version: str = "1.0", data: bytes = b"", requires: tuple[str, ...] = ()
) -> None:
    module = f"VERSION = {version!r}\n".encode()
    files = {f"{name}/__init__.py": module, f"{name}/data": data}
    registry.add_wheel(name, version, wheel(name, version, files, requires=requires))


def publish_npm(registry: Registry, name: str, version: str = "1.0.0") -> None:
    files = {"package/index.js": f"exports.VERSION = {version!r};\n".encode()}
    registry.add_package(name, version, tarball({"name": name, "version": version}, files))


def python(name: str, result: str = "package.VERSION") -> str:
    """A script that imports a package and declares nothing."""
    return (
        f"import hashlib, os, pathlib, {name} as package\n"
        "FOLDER = pathlib.Path(package.__file__).parent\n"
        f"def handle(params):\n    return {result}\n"
    )


def declaring(name: str, result: str = "package.VERSION", declared: str = "") -> str:
    """The same script, which declares the package, or `declared` that requires it."""
    return f"# /// script\n# dependencies = ['{declared or name}']\n# ///\n" + python(name, result)


#: Reads all of the package's data.
WHOLE = "hashlib.sha256((FOLDER / 'data').read_bytes()).hexdigest()"


def sql(service: Deployment, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(service.postgres.url)) as opened, opened, opened.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def environment_of(client: Client, title: str) -> str:
    digest: str = client.request("GET", f"/api/v1/functions/{title}").json()["environment"]
    return digest


def evicted(service: Deployment) -> float:
    """How many environments the Python runtime has removed to make room."""
    port = service.ports["PYTHON_METRICS_PORT"]
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    [found] = re.findall(r"^lambda_runtime_environments_evicted_total{.*} (.+)$", text, re.MULTILINE)
    return float(found)


def test_declared_packages_outlive_the_registry(
    service: Deployment, registry: Registry, client: Client
) -> None:
    publish_python(registry, "kept")
    publish_npm(registry, "kept")
    node = "exports.handler = () => require('kept').VERSION;\n"
    typed = "export default (e: unknown): string => kept.VERSION;\n"
    forms: dict[str, tuple[str, dict[str, Any]]] = {
        "python-script": (declaring("kept"), {}),
        "python-field": (python("kept"), {"packages": ["kept>=1"]}),
        "nodejs-script": ("const kept = require('npm:kept@^1');\nreturn kept.VERSION;\n", {}),
        "nodejs-field": (node, {"packages": ["kept@^1"]}),
        "typescript-script": (f"import kept from 'npm:kept@^1';\n{typed}", {}),
        "typescript-field": (f"import kept from 'kept';\n{typed}", {"packages": ["kept@^1"]}),
    }
    plain = client.begin("python-plain", PLAIN)
    sessions = {title: client.begin(title, script, **context) for title, (script, context) in forms.items()}

    def check(mark: int) -> None:
        for title, session in sessions.items():
            answers = [client.execute(session, {"mark": mark}).json() for _ in range(2)]
            version = "1.0" if title.startswith("python") else "1.0.0"
            assert [(each.get("result"), each.get("cached")) for each in answers] == [
                (version, False),
                (version, True),
            ], (title, answers)

    check(1)
    service.stop()
    service.start()
    registry.fault = "away"
    check(2)
    for title, (script, context) in forms.items():
        again = client.begin(title, f"{script}\n", **context)
        assert client.result(again) == ("1.0" if title.startswith("python") else "1.0.0")
    with ThreadPoolExecutor(2) as threads:
        asked = [
            threads.submit(client.again().initialize, title, PLAIN, packages=[name])
            for title, name in (("python-new", "kept>=0"), ("nodejs-new", "kept@>=0"))
        ]
        for refused in [each.result() for each in asked]:
            error_of(refused, "RUNTIME_UNAVAILABLE")
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert client.result(plain, {"n": 1}) == {"n": 1}


def test_twenty_identical_asks_at_two_controllers_are_one_build(
    registry: Registry, client: Client, other_url: str
) -> None:
    clients = [client, client.at(other_url)]

    def asked(name: str, times: int) -> list[str]:
        """What is asked of the registry, without the name."""
        publish_npm(registry, name)
        script = f"const {name} = require('npm:{name}');\nreturn {name}.VERSION;\n"
        with ThreadPoolExecutor(times) as threads:
            begun = [
                threads.submit(clients[number % 2].again().begin, f"nodejs-{name}", script)
                for number in range(times)
            ]
            sessions = [each.result() for each in begun]
        assert {client.result(session) for session in sessions} == {"1.0.0"}
        return [path.replace(name, "") for path in registry.paths if name in path]

    assert asked("shared", 20) == asked("alone", 1)


def test_an_installer_killed_at_any_moment_leaves_no_half_environment(
    service: Deployment, registry: Registry, client: Client
) -> None:
    chance, title = random.Random(SEED), "python-killed"
    data = chance.randbytes(LARGE >> 12) * (1 << 12)  # cheap to compress
    publish_python(registry, "bulk", data=data)
    names = [f"killed{number}" for number in range(KILLS + 1)]
    for name in names:
        publish_python(registry, name, requires=("bulk",))
    client.begin(title, declaring("bulk"))
    began = time.monotonic()
    client.begin(title, declaring("bulk", WHOLE, names.pop()))
    took = time.monotonic() - began
    seen: set[int] = set()
    # One is killed as soon as it works.
    for name, moment in zip(names, [0, *(chance.uniform(0, took) for _ in names[1:])], strict=True):
        script = declaring("bulk", WHOLE, name)
        worker = service.packages.pid
        with ThreadPoolExecutor(1) as thread:
            asked = thread.submit(client.again().initialize, title, script)
            until(partial(asks_for, registry, f"/simple/{name}/"), "the installer works")
            # Nothing can be waited for: any moment is the point.
            wait([asked], moment)
            jobs = below(worker)
            os.kill(worker, signal.SIGKILL)
            answer = asked.result()
        service.packages.start()  # as the supervisor of `make run` does
        until(partial(ended, jobs), "the jobs of the killed installer are gone")
        seen.add(answer.status_code)
        if answer.status_code != 200:
            error_of(answer, "RUNTIME_UNAVAILABLE")
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert half_environments(service) == []
        assert client.result(client.begin(title, script)) == hashlib.sha256(data).hexdigest()
    assert 503 in seen
    assert sql(service, "SELECT FROM environments WHERE lock LIKE 'killed%%' AND state <> 'ready'") == []


def asks_for(registry: Registry, beginning: str) -> bool:
    return any(path.startswith(beginning) for path in registry.paths)


def ended(jobs: list[Process]) -> bool:
    return not alive(jobs)


def half_environments(service: Deployment) -> list[tuple[Any, ...]]:
    """Those that pass as ready while parts are missing."""
    parts = "(SELECT count(*) FROM environment_parts p WHERE (p.digest, p.build) = (e.digest, e.build))"
    return sql(
        service, f"SELECT digest, parts FROM environments e WHERE state = 'ready' AND parts <> {parts}"
    )


def test_evicted_environments_come_back(service: Deployment, registry: Registry, client: Client) -> None:
    sessions = {}
    for name in ("first", "second"):
        publish_python(registry, name, data=bytes(LARGE))
        sessions[name] = client.begin(f"python-{name}", declaring(name, "len(os.listdir(FOLDER))"))
    before = evicted(service)
    for mark in range(2):
        assert {client.result(session, {"mark": mark}) for session in sessions.values()} == {3}
    assert evicted(service) - before >= 3

    digest = environment_of(client, "python-first")
    sql(service, "UPDATE environments SET used_at = now() - interval '1 hour' WHERE digest = %s", digest)
    with service.another_controller(3, ENVIRONMENTS_MAX_BYTES="0"):
        until(lambda: state(client, digest) == "absent", "the environment is evicted from the store")
    assert client.result(sessions["second"], {"mark": 2}) == 3
    assert client.result(sessions["first"], {"mark": 2}) == 3
    assert state(client, digest) == "ready"


def state(client: Client, digest: str) -> str:
    found: str = client.request("GET", f"/api/v1/environments/{digest}").json()["state"]
    return found


def test_a_tenant_reads_the_packages_of_no_other(
    service: Deployment, registry: Registry, client: Client
) -> None:
    """Even one with packages who is told where they lie."""
    publish_python(registry, "theirs", data=b"their secret")
    publish_python(registry, "mine")
    theirs = client.begin("python-theirs", declaring("theirs", "str(FOLDER)"))
    digest, place = environment_of(client, "python-theirs"), client.result(theirs)
    stranger = client.speaking_for(f"{client.sub}-stranger")
    attempts = {
        "told": f"open({place!r} + '/data').read()",
        "told, listed": f"os.listdir({place!r})",
        "listed": "os.listdir(FOLDER.parents[1])",
        "guessed": f"open(f'{{FOLDER.parents[1]}}/{digest}/theirs/data').read()",
    }
    scripts = {title: declaring("mine", attempt) for title, attempt in attempts.items()}
    scripts["without packages"] = f"import os\ndef handle(params):\n    os.listdir({place!r} + '/../..')\n"
    for title, script in scripts.items():
        error = error_of(stranger.execute(stranger.begin("python-stranger", script)), "RUNTIME_ERROR")
        # Only a guess names what is not there.
        allowed = {"PermissionError", *(("FileNotFoundError",) if title == "guessed" else ())}
        assert error["details"]["type"] in allowed, (title, error)
    shown = f"/api/v1/environments/{digest}"
    assert client.request("GET", shown).json()["digest"] == digest
    error_of(stranger.request("GET", shown), "NOT_FOUND")


def test_a_lock_is_kept_until_it_is_refreshed_and_versions_pin_theirs(
    registry: Registry, client: Client, other_url: str
) -> None:
    publish_python(registry, "moving")
    other, path = client.at(other_url), "/api/v1/functions/python-pinned"
    script, another = declaring("moving"), declaring("moving") + "# another script\n"
    old = client.begin("python-moving", script)
    put = client.request("PUT", path, json={"script_content": script})
    assert (put.status_code, client.result(old)) == (201, "1.0"), put.text
    publish_python(registry, "moving", "1.1")

    assert other.result(other.begin("python-another", another)) == "1.0"
    new = other.begin("python-moving", script, refresh_packages=True)
    put = other.request("PUT", path, json={"refresh_packages": True})
    assert (put.status_code, put.json()["version"]) == (201, 2), put.text
    # One key would have found the first one's result.
    answers = [client.execute(session).json() for session in (new, new, old)]
    assert [(each["result"], each["cached"]) for each in answers] == [
        ("1.1", False),
        ("1.1", True),
        ("1.0", True),
    ]
    for reference, version in (("@1", "1.0"), ("@2", "1.1"), ("", "1.1")):
        answer = client.request("POST", f"{path}{reference}/execute", json={"params": {}})
        assert answer.json()["result"] == version, answer.text
    assert client.result(client.begin("python-another", another)) == "1.1"


@pytest.mark.parametrize(("fault", "statuses"), [("stalls", (200, 503)), ("shorter", (400,))])
def test_a_registry_that_fails_hurts_no_script_without_packages(
    registry: Registry, client: Client, fault: str, statuses: tuple[int, ...]
) -> None:
    publish_npm(registry, fault)
    script = f"const it = require('npm:{fault}');\nreturn it.VERSION;\n"
    plain = client.begin("python-plain", PLAIN)
    registry.fault = fault
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(client.again().initialize, f"nodejs-{fault}", script)
        until(partial(asks_for, registry, f"/-/files/{fault}-"), "the archive is asked for")
        for number in range(20):
            assert client.result(plain, {"n": number}) == {"n": number}
        assert client.result(client.begin("python-plain", f"{PLAIN}#\n"), {"n": 1}) == {"n": 1}
        if fault == "stalls":
            assert not asked.done()
            registry.fault = ""
            registry.released.set()
        answer = asked.result()
    assert answer.status_code in statuses, answer.text
    registry.fault = ""
    assert client.result(client.begin(f"nodejs-{fault}", script)) == "1.0.0"
