"""npm packages by npm, from a registry on loopback: what is installed, and what hostile ones come to."""

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runtime.installer.conftest import ServedInstaller, Start
from tests.integration.runtime.installer.registry import LATER, Content, Registry, served, tarball

MODULE = b"module.exports = 1;\n"


def publish(
    registry: Registry,
    name: str,
    version: str = "1.0.0",
    files: dict[str, Content] | None = None,
    links: dict[str, tuple[bytes, str]] | None = None,
    uploaded: str = "2020-01-01T00:00:00Z",
    **manifest: Any,
) -> None:
    about = {"name": name, "version": version, "license": "MIT", **manifest}
    content = tarball(about, {"package/index.js": MODULE, **(files or {})}, links)
    registry.add_package(name, version, content, uploaded, **manifest)


def test_an_environment_has_what_was_resolved(installer: ServedInstaller, registry: Registry) -> None:
    publish(registry, "needed", "1.2.0")
    publish(
        registry,
        "@scope/main",
        dependencies={"needed": "^1"},
        files={"package/run.sh": (b"#!/bin/sh\n", 0o755)},
    )
    answer = installer.resolved("nodejs", "@scope/main@^1")
    lock = json.loads(answer["lock"])
    built = installer.built("nodejs", answer["lock"])

    assert answer["version"] == "24"
    assert answer["packages"] == [
        {"name": "@scope/main", "version": "1.0.0"},
        {"name": "needed", "version": "1.2.0"},
    ]
    assert lock["packages"][""] == {"dependencies": {"@scope/main": "^1"}}
    assert "resolved" not in answer["lock"]
    assert answer["lock"] == json.dumps(lock, sort_keys=True, separators=(",", ":"))
    assert (
        built.files["node_modules/@scope/main/index.js"]
        == built.files["node_modules/needed/index.js"]
        == MODULE
    )
    assert built.executable == {"node_modules/@scope/main/run.sh"}
    [main, needed] = built.head["packages"]
    assert (main["name"], main["licence"]) == ("@scope/main", "MIT")
    assert main["bytes"] + needed["bytes"] == built.head["bytes"]


def test_hostile_tarballs_are_refused_or_harmless(
    installer: ServedInstaller, registry: Registry, tmp_path: Path
) -> None:
    """Whatever npm makes of them: nothing outside, no link, no program, and no script of theirs has run."""
    outside, secret = tmp_path / "outside.txt", tmp_path / "secret.txt"
    secret.write_text("a secret of this machine")
    up = "../" * 12
    publish(
        registry,
        "evil",
        files={
            f"package/{up}{outside}": b"escaped",
            f"{outside}": b"escaped",
            "package/suid": (b"#!/bin/sh\n", 0o6755),
        },
        links={
            "package/symbolic": (tarfile.SYMTYPE, str(secret)),
            "package/hard": (tarfile.LNKTYPE, f"{up}{secret}"),
            "package/folder": (tarfile.SYMTYPE, str(tmp_path)),
        },
        bin={"evil": "index.js"},
        hasInstallScript=True,
        scripts={
            "install": f"touch {outside}",
            "preinstall": f"touch {outside}",
            "prepare": f"touch {outside}",
        },
    )
    built = installer.built("nodejs", installer.resolved("nodejs", "evil")["lock"])

    assert not outside.exists()
    assert built.head["dropped"] == [
        "node_modules/evil/suid: its set-uid bit is taken away",
        "node_modules/evil: its install script was not run",
    ]
    assert secret.read_bytes() not in b"".join(built.files.values())
    for name in built.files:
        assert name.startswith("node_modules/evil/") and ".." not in name.split("/"), name


@pytest.mark.parametrize(
    "source", ["git+https://127.0.0.1:9/x.git", "{url}/-/files/x-1.0.0.tgz", "file:../x"]
)
def test_a_dependency_from_elsewhere_is_refused(start: Start, registry: Registry, source: str) -> None:
    publish(registry, "x")
    publish(registry, "main", dependencies={"x": source.format(url=registry.url)})

    assert start(min_age=0).refusal("nodejs", "resolve", packages=["main"])[:3] == (
        400,
        "INITIALIZATION_ERROR",
        "resolve",
    )


def test_bounds_hashes_and_policies_hold(start: Start, registry: Registry) -> None:
    publish(registry, "many", files={f"package/{number}": b"" for number in range(500)})
    publish(registry, "changed")
    installer = start(max_files=50, deny=("denied*",), min_age=0)
    locks = {name: installer.resolved("nodejs", name)["lock"] for name in ("many", "changed")}
    registry.replace(
        "changed", tarball({"name": "changed", "version": "1.0.0"}, {"package/other.js": MODULE})
    )
    publish(registry, "denied-one")
    many, changed = (installer.refusal("nodejs", "build", lock=lock) for lock in locks.values())

    assert many[:3] == (400, "INITIALIZATION_ERROR", "install") and "files" in many[3] and "many" in many[3]
    assert changed[:3] == (400, "INITIALIZATION_ERROR", "download")
    assert "PACKAGES_DENY" in installer.refusal("nodejs", "resolve", packages=["denied-one"])[3]


def test_refusals_say_what_can_be_done(installer: ServedInstaller, registry: Registry) -> None:
    publish(registry, "fresh")
    publish(registry, "fresh", "2.0.0", uploaded=LATER)

    def why(package: str) -> str:
        status, code, stage, message = installer.refusal("nodejs", "resolve", packages=[package])
        assert (status, code, stage) == (400, "INITIALIZATION_ERROR", "resolve")
        return message

    assert "unknown" in why("unknown")
    assert why("fresh@2") == "fresh 2.0.0 is younger than 7 days; the newest allowed version is 1.0.0"
    assert installer.resolved("nodejs", "fresh")["packages"] == [{"name": "fresh", "version": "1.0.0"}]


def test_a_registry_that_fails_is_no_fault_of_the_script(start: Start, registry: Registry) -> None:
    publish(registry, "slow", files={"package/large": bytes(range(256)) * 256})
    lock = start().resolved("nodejs", "slow")["lock"]
    # Only one that stalls uses up the time.
    for fault, timeout in (("stalls", 6.0), ("longer", 60.0), ("dies", 60.0), ("away", 60.0)):
        registry.fault = fault
        refused = start(timeout=timeout).refusal("nodejs", "build", lock=lock)
        assert refused[:2] == (503, "RUNTIME_UNAVAILABLE"), (fault, refused)


def test_a_private_registry_is_the_only_one(
    start: Start, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(registry, "internal")
    with served() as public:
        publish(public, "internal", "99.0.0")
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", public.url)
        monkeypatch.setenv("npm_config_registry", public.url)
        host = registry.url.removeprefix("http://")
        installer = start(npm_registry_url=f"http://reader:hidden-word@{host}")
        registry.authorization = "Basic cmVhZGVyOmhpZGRlbi13b3Jk"
        built = installer.built("nodejs", installer.resolved("nodejs", "internal")["lock"])
        registry.authorization = "Basic other"
        refused = installer.ask("nodejs", "resolve", {"packages": ["internal"]})

        assert built.head["packages"][0]["version"] == "1.0.0"
        assert public.paths == []
        assert refused.status_code == 400
        assert "hidden-word" not in refused.text and "cmVhZGVy" not in refused.text


def test_a_lock_is_taken_if_it_satisfies_the_packages(start: Start, registry: Registry) -> None:
    installer = start(min_age=0)
    publish(registry, "first")
    old = installer.resolved("nodejs", "first@^1")["lock"]
    publish(registry, "first", "1.1.0")
    publish(registry, "second")
    document = json.loads(old)
    document["packages"]["node_modules/first"]["resolved"] = "https://elsewhere.invalid/first.tgz"

    def answer(asked: ServedInstaller = installer, **body: object) -> tuple[int, str]:
        told = asked.ask("nodejs", "resolve", body)
        found = told.get_json()
        return told.status_code, found["lock"] if told.status_code == 200 else found["error"]["message"]

    assert answer(lock=json.dumps(document), packages=["first@^1"]) == (200, old)
    assert answer(lock=json.dumps(document)) == (200, old)
    assert "lacks node_modules/second" in answer(lock=old, packages=["first@^1", "second"])[1]

    registry.times["first"]["1.0.0"] = LATER
    assert "No matching version found for first@1.0.0" in answer(start(), lock=old)[1]


def test_a_filled_cache_serves_offline(
    start: Start, registry: Registry, tmp_path: Path, node_program: str
) -> None:
    publish(registry, "offline")
    npm = Path(node_program).resolve().parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    options = ["--cache", str(tmp_path / "cache"), "--registry", registry.url]
    lock = ["install", "--package-lock-only", "--omit-lockfile-registry-resolved", "offline"]
    for command in (lock, ["ci"]):
        filling = [node_program, str(npm), *command, *options]
        subprocess.run(filling, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    registry.paths.clear()
    installer = start(npm_cache=tmp_path / "cache")
    built = installer.built("nodejs", installer.resolved("nodejs", "offline@^1")["lock"])

    assert built.files["node_modules/offline/index.js"] == MODULE
    assert registry.paths == []
    assert installer.built("nodejs", installer.resolved("nodejs")["lock"]).files == {}
