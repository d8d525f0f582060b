"""Python packages by uv, from a registry on loopback: what is installed, and what hostile ones come to."""

import importlib.util
import marshal
import stat
from pathlib import Path

import gevent
import pytest

from runtime.installer.settings import Settings
from tests.conftest import missing
from tests.integration.runtime.installer.conftest import ServedInstaller, Start, environment
from tests.integration.runtime.installer.registry import LATER, Content, Registry, served, wheel
from tests.waiting import until_greenlets

MODULE = b"VALUE = 1\n"


def publish(registry: Registry, name: str, more: dict[str, Content] | None = None) -> None:
    registry.add_wheel(name, "1.0", wheel(name, "1.0", {f"{name}/__init__.py": MODULE}, more=more))


def test_an_environment_has_what_was_resolved(installer: ServedInstaller, registry: Registry) -> None:
    publish(registry, "needed")
    files: dict[str, Content] = {"main.py": MODULE, "native.so": (b"\x7fELF", 0o755)}
    registry.add_wheel("main", "2.0", wheel("main", "2.0", files, requires=("needed>=1",)))
    answer = installer.resolved("python", "Main>=1")
    built = installer.built("python", answer["lock"])
    cached = built.files["__pycache__/" + Path(importlib.util.cache_from_source("main.py")).name]

    assert [line.split(" --hash=sha256:")[0] for line in answer["lock"].splitlines()] == [
        "main==2.0",
        "needed==1.0",
    ]
    assert answer["packages"] == [{"name": "main", "version": "2.0"}, {"name": "needed", "version": "1.0"}]
    assert built.files["main.py"] == built.files["needed/__init__.py"] == MODULE
    assert built.executable == {"native.so"}
    # Bytecode that is not compared with its source, and that names no path of this machine.
    assert cached[4:8] == b"\1\0\0\0" and marshal.loads(cached[16:]).co_filename == "main.py"
    [main, needed] = built.head["packages"]
    assert (main["name"], main["version"], main["licence"]) == ("main", "2.0", "MIT")
    assert main["bytes"] + needed["bytes"] == built.head["bytes"]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("{up}{outside}", b"escaped"),
        ("{outside}", b"escaped"),
        ("evil/../{up}{outside}", b"escaped"),
        ("evil-1.0.data/purelib/{up}{outside}", b"escaped"),
        ("evil-1.0.data/scripts/{up}{outside}", b"#!python\n"),
        ("evil-1.0.data/data/{up}{outside}", b"escaped"),
        ("link.txt", (b"{secret}", stat.S_IFLNK | 0o777)),
        ("evil.pth", b"import pathlib; pathlib.Path('{outside}').touch()\n"),
        ("evil-1.0.data/scripts/tool", (b"#!python\n", 0o4755)),
        ("suid", (b"#!/bin/sh\n", 0o6755)),
        ("back\\slash.py", MODULE),
    ],
)
def test_a_hostile_wheel_is_refused_or_harmless(
    installer: ServedInstaller, registry: Registry, tmp_path: Path, path: str, content: Content
) -> None:
    """Whatever uv makes of it: nothing outside, no link, no start file, no program, no set-uid bit."""
    outside, secret = tmp_path / "outside.txt", tmp_path / "secret.txt"
    secret.write_text("a secret of this machine")

    def filled(text: str) -> str:
        return text.format(up="../" * 12, outside=outside, secret=secret)

    data, mode = content if isinstance(content, tuple) else (content, 0o644)
    publish(registry, "evil", {filled(path): (filled(data.decode()).encode(), mode)})
    answer = installer.ask("python", "build", {"lock": installer.resolved("python", "evil")["lock"]})

    assert not outside.exists()
    if answer.status_code == 200:
        built = environment(answer)
        assert secret.read_bytes() not in b"".join(built.files.values())
        for name in built.files:
            assert ".." not in name.split("/") and not name.startswith(("/", "bin/")), name
            assert "\\" not in name and not name.endswith(".pth"), name
    else:
        assert answer.status_code == 400
        assert answer.get_json()["error"]["details"]["stage"] == "install"


def test_what_is_left_out_is_named(installer: ServedInstaller, registry: Registry) -> None:
    publish(registry, "evil", {"evil.pth": b"import evil\n", "evil-1.0.data/scripts/tool": b"#!python\n"})
    built = installer.built("python", installer.resolved("python", "evil")["lock"])

    assert sorted(built.head["dropped"]) == [
        "bin: programs are not installed",
        "evil.pth: it would run code at the start",
    ]


@pytest.mark.parametrize(
    ("changes", "files", "what"),
    [
        ({"max_files": 50}, {f"many/{number}": b"" for number in range(80)}, " files"),
        ({"max_files": 50}, {f"many/{number}": b"" for number in range(1000)}, "50 files"),
        ({"max_bytes": 1 << 20}, {"many/large": bytes(3 << 19)}, "large 1.0"),
        ({"max_bytes": 1 << 20}, {f"many/{number}": bytes(1 << 19) for number in range(20)}, "bytes"),
    ],
)
def test_a_bound_is_kept_while_it_installs_and_after(
    start: Start, registry: Registry, changes: dict[str, int], files: dict[str, Content], what: str
) -> None:
    publish(registry, "small")
    registry.add_wheel("large", "1.0", wheel("large", "1.0", files, requires=("small",)))
    installer = start(**changes)
    refused = installer.refusal("python", "build", lock=installer.resolved("python", "large")["lock"])

    assert refused[:3] == (400, "INITIALIZATION_ERROR", "install")
    assert what in refused[3], refused


def test_a_file_that_is_not_the_locked_one_is_refused(installer: ServedInstaller, registry: Registry) -> None:
    publish(registry, "changed")
    lock = installer.resolved("python", "changed")["lock"]
    registry.replace("changed", wheel("changed", "1.0", {"changed/__init__.py": b"VALUE = 2\n"}))

    assert installer.refusal("python", "build", lock=lock)[:3] == (400, "INITIALIZATION_ERROR", "download")


@pytest.mark.parametrize("fault", ["stalls", "longer", "shorter", "dies", "away"])
def test_a_registry_that_fails_is_no_fault_of_the_script(
    start: Start, registry: Registry, fault: str
) -> None:
    publish(registry, "slow", {"slow/large": bytes(range(256)) * 4096})
    lock = start().resolved("python", "slow")["lock"]
    registry.fault = fault
    # Only one that stalls uses up the time.
    answer = start(timeout=6.0 if fault == "stalls" else 60.0).ask("python", "build", {"lock": lock})

    # A file that is cut short may also be seen by its hash.
    assert (answer.status_code, answer.get_json()["error"]["code"]) in {
        (503, "RUNTIME_UNAVAILABLE"),
        *([(400, "INITIALIZATION_ERROR")] if fault == "shorter" else []),
    }, answer.text
    assert answer.status_code == 400 or int(answer.headers["Retry-After"]) > 0


def test_a_client_that_goes_ends_its_job_and_frees_the_slot(start: Start, registry: Registry) -> None:
    publish(registry, "slow", {"slow/large": bytes(range(256)) * 4096})
    installer = start(jobs=1)
    lock = installer.resolved("python", "slow")["lock"]
    registry.fault = "stalls"
    registry.paths.clear()
    caller = gevent.spawn(installer.ask, "python", "build", {"lock": lock})
    until_greenlets(lambda: any(path.endswith(".whl") for path in registry.paths), "the job downloads")
    caller.kill()
    registry.fault = ""

    assert "slow/__init__.py" in installer.built("python", lock).files


def test_a_private_index_is_the_only_one(
    start: Start, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(registry, "internal")
    with served() as public:
        public.add_wheel("internal", "99.0", wheel("internal", "99.0", {"internal.py": MODULE}))
        public.add_wheel("other", "1.0", wheel("other", "1.0", {"other.py": MODULE}))
        for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX"):
            monkeypatch.setenv(name, f"{public.url}/simple")
        installer = start()
        answer = installer.resolved("python", "internal")
        installer.built("python", answer["lock"])
        refused = installer.refusal("python", "resolve", packages=["other"])

        assert answer["packages"] == [{"name": "internal", "version": "1.0"}]
        assert "other was not found" in refused[3]
        assert public.paths == []


def test_credentials_reach_the_index_and_nobody_else(start: Start, registry: Registry) -> None:
    publish(registry, "internal")
    host = registry.url.removeprefix("http://")
    installer = start(index_url=f"http://reader:hidden-word@{host}/simple")
    registry.authorization = "Basic cmVhZGVyOmhpZGRlbi13b3Jk"
    installer.built("python", installer.resolved("python", "internal")["lock"])
    registry.authorization = "Basic other"
    refused = installer.ask("python", "resolve", {"packages": ["internal"]})

    assert refused.status_code in {400, 503}
    assert "hidden-word" not in refused.text and "cmVhZGVy" not in refused.text


def test_refusals_say_what_can_be_done(start: Start, registry: Registry) -> None:
    registry.add_source("source", "1.0")
    publish(registry, "fresh")
    registry.add_wheel("fresh", "2.0", wheel("fresh", "2.0", {"fresh.py": MODULE}), LATER)
    installer = start(allow=("source", "fresh", "unknown"), deny=("denied",))
    publish(registry, "denied")

    def why(*packages: str) -> str:
        status, code, stage, message = installer.refusal("python", "resolve", packages=packages)
        assert (status, code, stage) == (400, "INITIALIZATION_ERROR", "resolve")
        return message

    assert "unknown was not found" in why("unknown")
    assert "no wheel for Python" in why("source")
    assert why("fresh==2") == "fresh 2.0 is younger than 7 days; the newest allowed version is 1.0"
    assert "PACKAGES_ALLOW" in why("denied")
    assert installer.resolved("python", "fresh")["packages"] == [{"name": "fresh", "version": "1.0"}]


def test_a_lock_is_taken_if_it_satisfies_the_packages(installer: ServedInstaller, registry: Registry) -> None:
    for name in ("first", "second"):
        publish(registry, name)
    registry.add_wheel("first", "2.0", wheel("first", "2.0", {"first.py": MODULE}))
    old = installer.resolved("python", "first<2")["lock"]
    foreign = f"--index-url https://elsewhere.invalid/simple\n{old}"
    wrong = "first==1.0 --hash=sha256:" + "0" * 64

    def answer(**body: object) -> tuple[int, str]:
        told = installer.ask("python", "resolve", body)
        document = told.get_json()
        return told.status_code, document["lock"] if told.status_code == 200 else document["error"]["message"]

    assert answer(lock=foreign, packages=["first"]) == (200, old)
    assert answer(lock=foreign) == answer(lock=foreign, packages=[]) == (200, old)
    assert answer(lock=old, packages=["first>=2"])[0] == 400
    assert "lacks second" in answer(lock=old, packages=["first", "second"])[1]
    assert "no file with a hash of the lock" in answer(lock=wrong)[1]


def test_a_folder_of_wheels_serves_offline(start: Start, tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "offline-1.0-py3-none-any.whl").write_bytes(wheel("offline", "1.0", {"offline.py": MODULE}))
    installer = start(wheels=tmp_path)
    built = installer.built("python", installer.resolved("python", "offline")["lock"])

    assert built.files["offline.py"] == MODULE
    assert registry.paths == []


def test_calls_need_the_secret_and_a_body(installer: ServedInstaller) -> None:
    assert installer.ask("python", "resolve", {"packages": []}, secret="wrong").status_code == 401
    assert installer.ask("python", "resolve", {"packages": "x"}).status_code == 400
    assert installer.ask("python", "resolve", {}).status_code == 400
    assert (
        installer.ask("python", "build", {"lock": "x @ https://elsewhere.invalid/x.whl"}).status_code == 400
    )
    assert installer.ask("cobol", "build", {"lock": ""}).status_code == 404
    assert installer.ask("python", "build", {"lock": "#" * (5 << 20)}).status_code == 413
    assert installer.built("python", installer.resolved("python")["lock"]).files == {}


PACKAGES = {"python": ("idna==3.10", "idna/core.py"), "nodejs": ("ms@2.1.3", "node_modules/ms/index.js")}


@pytest.mark.parametrize("language", PACKAGES)
def test_a_package_of_the_real_registry_is_installed(installer_settings: Settings, language: str) -> None:
    package, file = PACKAGES[language]
    with ServedInstaller(installer_settings) as installer:
        answer = installer.ask(language, "resolve", {"packages": [package]})
        if answer.status_code == 503:
            missing(f"no registry of {language}", answer.text)
        built = installer.built(language, answer.get_json()["lock"])

    assert file in built.files
    assert [one["licence"] for one in built.head["packages"]] != [None]
