"""Packages of scripts: a controller, the part that installs, runtimes, and registries on loopback.

Registries of the tests serve what the tests publish. Parts of environments lie in PostgreSQL, as in a cluster.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.acceptance.client import Client, error_of
from tests.acceptance.deployment import Deployment
from tests.integration.runtime.installer.registry import Registry, served, tarball, wheel
from tests.waiting import until

PLAIN = "def handle(params):\n    return params\n"


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
        languages=["python", "nodejs"],
        packages={"PACKAGES_INDEX_URL": f"{registry.url}/simple", "NPM_REGISTRY_URL": registry.url},
        ENVIRONMENTS_DIR="",
    ) as deployment:
        yield deployment


@pytest.fixture(autouse=True)
def _well(registry: Registry) -> Iterator[None]:
    registry.released.clear()
    yield
    registry.fault = ""
    registry.released.set()


def publish_python(registry: Registry, name: str, data: bytes = b"") -> None:
    files = {f"{name}/__init__.py": b"VERSION = '1.0'\n", f"{name}/data": data}
    registry.add_wheel(name, "1.0", wheel(name, "1.0", files))


def publish_npm(registry: Registry, name: str) -> None:
    files = {"package/index.js": b"exports.VERSION = '1.0.0';\n"}
    registry.add_package(name, "1.0.0", tarball({"name": name, "version": "1.0.0"}, files))


def python(name: str, result: str = "package.VERSION") -> str:
    """A script that imports a package and declares nothing."""
    return (
        f"import os, pathlib, {name} as package\n"
        "FOLDER = pathlib.Path(package.__file__).parent\n"
        f"def handle(params):\n    return {result}\n"
    )


def declaring(name: str, result: str = "package.VERSION") -> str:
    """The same script, which declares the package."""
    return f"# /// script\n# dependencies = ['{name}']\n# ///\n" + python(name, result)


def environment_of(client: Client, title: str) -> str:
    digest: str = client.request("GET", f"/api/v1/functions/{title}").json()["environment"]
    return digest


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


def asks_for(registry: Registry, beginning: str) -> bool:
    return any(path.startswith(beginning) for path in registry.paths)


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
